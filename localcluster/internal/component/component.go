// Package component says how each program of a cluster is run: its command line and its configuration files.
package component

import (
	"os"
	"path/filepath"
	"strconv"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/space"
)

// NodeName is the name of a cluster's real node.
const NodeName = "node"

// Component is a program to run.
type Component struct {
	Name  string
	Args  []string   // the program first
	Files []*os.File // open files it gets, from descriptor 3 on
}

// Set makes the components of one cluster.
type Set struct {
	Cluster  *cluster.Cluster
	Programs cache.Programs
	addr     cluster.Addresses
}

// Of gives the components of c.
func Of(c *cluster.Cluster) Set {
	return Set{c, cache.Programs{Root: c.Binaries.Debian}, c.Addresses()}
}

// Env is the environment every component gets: nothing of the user's.
func (s Set) Env() []string {
	return []string{"PATH=" + s.Programs.Path(), "LD_LIBRARY_PATH=" + s.Programs.Libraries(), "HOME=" + s.Cluster.Path("home")}
}

// kube is one of the programs in the kube binary.
func (s Set) kube(program string, args ...string) Component {
	return Component{Name: program, Args: append([]string{s.Cluster.Binaries.Kube, program}, args...)}
}

func (s Set) pki(file string) string { return s.Cluster.Path("pki", file) }

func (s Set) config(file, text string) (string, error) {
	path := s.Cluster.Path("config", file)
	return path, cluster.WriteFile(path, []byte(text), 0o600)
}

func port(name string, n int) string { return "--" + name + "=" + strconv.Itoa(n) }

// PolicyReady is the file netpol makes once it has enforced what it found.
func (s Set) PolicyReady() string { return filepath.Join(space.RunDir, "netpol.ready") }

// ContainerdSocket is where the container runtime listens.
func (s Set) ContainerdSocket() string { return filepath.Join(space.RunDir, "containerd.sock") }
