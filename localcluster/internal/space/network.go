package space

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// Attach joins the machine with the network namespace of process pid by a pair of devices. The machine gets one device with
// one address and nothing else: no route, no rule, no setting.
func Attach(p cache.Programs, a cluster.Addresses, pid int) error {
	for _, args := range [][]string{
		{"link", "add", a.HostLink, "type", "veth", "peer", "name", a.NodeLink, "netns", strconv.Itoa(pid)},
		{"address", "add", a.HostIP + "/24", "dev", a.HostLink},
		{"link", "set", a.HostLink, "up"},
	} {
		if err := run(p, "", "ip", args...); err != nil {
			return fmt.Errorf("join the cluster's network with the machine: %w", err)
		}
	}
	return nil
}

// Connect brings up the namespace's end once Attach has put it there. Pods reach the outside, if at all, as the node.
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
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("let the cluster's network forward: %w", err)
	}
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

// Detached waits until the machine has no device of the cluster any more: the kernel removes them a moment after the last
// process of the namespace has ended.
func Detached(a cluster.Addresses, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		if _, err := net.InterfaceByName(a.HostLink); err != nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the network device %s exists already: another cluster with the same number runs (look for one started with another XDG_STATE_HOME), or remove it with: ip link delete %s", a.HostLink, a.HostLink)
		}
	}
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
