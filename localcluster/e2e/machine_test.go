package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/localcluster/internal/process"
)

// family gives every process of the cluster whose supervisor is given, those of pods too.
func family(t *testing.T, supervisor int) []process.ID {
	t.Helper()
	var out []process.ID
	for _, pid := range process.Inside(supervisor) {
		if id, err := process.Of(pid); err == nil { // else it has just ended
			out = append(out, id)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d processes in the cluster", len(out))
	}
	return out
}

// settings are what a cluster must not change of the machine.
func settings(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/net/ipv4/tcp_orphan_retries"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(b)
	}
	for _, dir := range []string{"/var/lib/cni", "/var/log/containers", "/var/log/pods", "/var/lib/kubelet", "/run/containerd", "/run/catalyst", "/etc/cni/net.d", "/etc/kubernetes", "/usr/libexec/kubernetes"} {
		_, err := os.Stat(dir)
		out[dir] = fmt.Sprint("exists: ", err == nil)
	}
	return out
}

// nothingLeft checks that no process, mount, network device or control group of a stopped cluster is there.
func nothingLeft(t *testing.T, u *user, name string, all []process.ID, link string) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err != nil || ended(pid) {
			continue
		}
		command, _ := os.ReadFile(dir + "/cmdline") // it may be gone by now
		if strings.Contains(string(command), u.state(name)) {
			t.Errorf("process %s is left: %s", filepath.Base(dir), strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	for _, id := range all {
		if id.Alive() {
			t.Errorf("process %d is left", id.PID)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, u.home) || strings.Contains(line, "nsfs") {
			t.Errorf("a mount is left: %s", line)
		}
	}
	if _, err := os.Stat("/sys/class/net/" + link); err == nil {
		t.Errorf("the network device %s is left", link)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*/catalyst-*-" + name, "/sys/fs/cgroup/catalyst-*-" + name} {
		if groups, _ := filepath.Glob(pattern); len(groups) > 0 {
			t.Errorf("control groups are left: %v", groups)
		}
	}
}

// linkTo finds the network device that has the address.
func linkTo(t *testing.T, address string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/net/fib_trie")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), address) {
		t.Fatalf("the machine has no address %s", address)
	}
	return "cat" + strings.Split(address, ".")[2] + "h"
}

// within fails the test when fn takes longer; on a machine with more to do than processors, in proportion.
func within(t *testing.T, limit time.Duration, what string, fn func()) {
	t.Helper()
	var load float64
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(b), &load)
	}
	limit = time.Duration(float64(limit) * max(1, load/float64(runtime.NumCPU())))
	began := time.Now()
	fn()
	took := time.Since(began).Round(10 * time.Millisecond)
	t.Logf("%s took %v, at a load of %.1f", what, took, load)
	if took > limit {
		t.Errorf("%s took %v, more than %v", what, took, limit)
	}
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
