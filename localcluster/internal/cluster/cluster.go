// Package cluster knows where a local cluster lives: its directory, its addresses and what was recorded about it.
// It starts and stops nothing.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"catalyst.dev/catalyst/localcluster/internal/process"
)

// Node kinds.
const (
	Real      = "real"      // containerd and kubelet run pods
	Simulated = "simulated" // kwok pretends to
)

// Record is what is remembered of a cluster between commands, in cluster.json.
type Record struct {
	Name           string     `json:"name"`
	Index          int        `json:"index"`
	Port           int        `json:"port"` // of the Host router, on the machine's loopback
	Node           string     `json:"node"`
	SimulatedNodes int        `json:"simulated_nodes"`
	Audit          bool       `json:"audit"`
	Namespaced     bool       `json:"namespaced"` // in network, mount and process namespaces of its own
	Supervisor     process.ID `json:"supervisor"`
	Hardware       string     `json:"hardware"` // address of the network device on the machine's side
	Binaries       Binaries   `json:"binaries"`
}

// Binaries are the built programs a cluster runs; empty when it does not need one.
type Binaries struct {
	Cache   string `json:"cache"` // the directory all of them are in
	Kube    string `json:"kube"`
	CoreDNS string `json:"coredns,omitempty"`
	Pause   string `json:"pause,omitempty"`
	Kwok    string `json:"kwok,omitempty"`
	Stages  string `json:"stages,omitempty"` // what kwok does to pods and nodes
	Debian  string `json:"debian,omitempty"` // root of the unpacked packages
}

// Cluster is one named cluster: its record and its directory.
type Cluster struct {
	Record
	Dir string
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Home is the directory that holds every cluster of this user.
func Home() (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the state directory (set XDG_STATE_HOME or HOME): %w", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Abs(filepath.Join(base, "catalyst", "clusters"))
}

// Open reads the cluster called name. One that was never started comes back with Index -1.
func Open(name string) (*Cluster, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("cluster name %q: use lower-case letters, digits and '-', at most 32", name)
	}
	home, err := Home()
	if err != nil {
		return nil, err
	}
	return OpenDir(filepath.Join(home, name))
}

// OpenDir reads the cluster that lives in dir.
func OpenDir(dir string) (*Cluster, error) {
	c := &Cluster{Record: Record{Name: filepath.Base(dir), Index: -1}, Dir: dir}
	b, err := os.ReadFile(c.Path("cluster.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of cluster %s: %w", c.Name, err)
	}
	if err := json.Unmarshal(b, &c.Record); err != nil {
		return nil, fmt.Errorf("read %s (reset the cluster if it cannot be mended): %w", c.Path("cluster.json"), err)
	}
	return c, nil
}

// Known tells whether the cluster was ever started and not reset since.
func (c *Cluster) Known() bool { return c.Index >= 0 }

// Path names a file in the cluster's directory.
func (c *Cluster) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// Addresses gives the cluster's address plan; only for a Known cluster.
func (c *Cluster) Addresses() Addresses { return AddressesOf(c.Index, c.Namespaced) }

// CgroupRoot names the control group the cluster's pods live under.
func (c *Cluster) CgroupRoot() string { return fmt.Sprintf("catalyst-%d-%s", c.Index, c.Name) }

// Save writes the record.
func (c *Cluster) Save() error { return WriteJSON(c.Path("cluster.json"), c.Record) }

// Allocate gives a cluster that has none a free index and creates its directory. It is safe against other commands that
// allocate at the same time.
func (c *Cluster) Allocate() error {
	if c.Known() {
		return nil
	}
	home := filepath.Dir(c.Dir)
	unlock, err := Lock(filepath.Join(home, ".index.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	used, err := usedIndexes(home)
	if err != nil {
		return err
	}
	prefixes, err := hostPrefixes()
	if err != nil {
		return err
	}
	c.Index = freeIndex(used, prefixes)
	if c.Index < 0 {
		return fmt.Errorf("allocate addresses for cluster %s: all %d are taken or overlap with the machine's networks; reset a cluster in %s", c.Name, MaxClusters, home)
	}
	return c.Save()
}

func freeIndex(used []int, prefixes []netip.Prefix) int {
	for i := range MaxClusters {
		if !slices.Contains(used, i) && !AddressesOf(i, true).overlaps(prefixes) {
			return i
		}
	}
	return -1
}

func usedIndexes(home string) ([]int, error) {
	entries, err := os.ReadDir(home)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var used []int
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := OpenDir(filepath.Join(home, e.Name()))
		if err != nil {
			return nil, err
		}
		used = append(used, c.Index)
	}
	return used, nil
}

// Lock holds the cluster against other commands that change it, until unlock is called.
func (c *Cluster) Lock() (unlock func(), err error) {
	return Lock(filepath.Join(filepath.Dir(c.Dir), "."+c.Name+".lock"))
}
