package space

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// NewHardware makes up an address for the machine's device, by which it is told from any other later.
func NewHardware() string {
	b := make([]byte, 6)
	rand.Read(b)          // does not fail
	b[0] = b[0]&^1 | 0b10 // one device's, and nobody's assigned range
	return net.HardwareAddr(b).String()
}

// Attach joins the machine with the network namespace of process pid by a pair of devices. The machine gets one device with
// one address and nothing else: no route, no rule, no setting.
func Attach(p cache.Programs, a cluster.Addresses, hardware string, pid int) error {
	if _, err := net.InterfaceByName(a.HostLink); err == nil {
		return fmt.Errorf("the network device %s exists: another cluster with the same number runs (look for one started with another XDG_STATE_HOME) and must be stopped first, or this one reset to get another number", a.HostLink)
	}
	for _, args := range [][]string{
		{"link", "add", a.HostLink, "address", hardware, "type", "veth", "peer", "name", a.NodeLink, "netns", strconv.Itoa(pid)},
		{"address", "add", a.HostIP + "/24", "dev", a.HostLink},
		{"link", "set", a.HostLink, "up"},
	} {
		if err := run(p, "", "ip", args...); err != nil {
			return fmt.Errorf("join the cluster's network with the machine: %w", err)
		}
	}
	return nil
}

// Connect brings up the namespace's end once Attach has put it there.
func Connect(p cache.Programs, a cluster.Addresses) error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", a.NodeIP + "/24", "dev", a.NodeLink},
		{"link", "set", a.NodeLink, "up"},
		{"route", "add", "default", "via", a.HostIP},
	} {
		if err := run(p, "", "ip", args...); err != nil {
			return fmt.Errorf("bring up the cluster's network: %w", err)
		}
	}
	for name, value := range map[string]string{
		"ip_forward":         "1",
		"tcp_orphan_retries": "1", // connections nobody owns any more keep the namespace alive; minutes, if not told
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set up the cluster's network: %w", err)
		}
	}
	return nil
}

// Masquerade lets pods reach the machine, and what the machine forwards to, as the node: nobody out there knows pod addresses.
func Masquerade(p cache.Programs, a cluster.Addresses) error {
	rules := fmt.Sprintf(`table ip catalyst-node {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr %s oifname %q masquerade
  }
}`, a.Pods, a.NodeLink)
	if err := run(p, rules, "nft", "-f", "-"); err != nil {
		return fmt.Errorf("let pods reach the machine: %w", err)
	}
	return nil
}

// Detach removes the machine's device if it is still the one with the hardware address. The kernel removes it with the
// namespace, but only when the last connection is closed too.
func Detach(p cache.Programs, a cluster.Addresses, hardware string) error {
	if !attached(a.HostLink, hardware) {
		return nil // there is none, or it is somebody else's
	}
	err := run(p, "", "ip", "link", "delete", a.HostLink)
	if err != nil && attached(a.HostLink, hardware) { // else the kernel was faster
		return fmt.Errorf("remove the cluster's network device: %w", err)
	}
	return nil
}

func attached(name, hardware string) bool {
	link, err := net.InterfaceByName(name)
	return err == nil && link.HardwareAddr.String() == hardware
}

func run(p cache.Programs, input, name string, args ...string) error {
	path := p.Find(name)
	if path == "" {
		return fmt.Errorf("the program %s is missing: run setup", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + p.Path(), "LD_LIBRARY_PATH=" + p.Libraries()}
	cmd.Stdin = bytes.NewBufferString(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, bytes.TrimSpace(out))
	}
	return nil
}
