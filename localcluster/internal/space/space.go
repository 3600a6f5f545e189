// Package space gives a cluster its own view of the machine: network devices, mounts and control groups. All of it hangs on
// the supervisor's namespaces, so the kernel takes it away when the supervisor ends, however it ends; only control groups
// must be removed by hand.
package space

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// RunDir is where sockets and other files go that must not outlive the cluster's namespaces.
const RunDir = "/run/catalyst"

// sysctls the kubelet insists on. They belong to the whole machine, so the cluster sees copies it may have its way with.
var sysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// Enter arranges the mounts of the namespaces this process is the first in: its own /proc, an empty /run, a /var whose changes
// are forgotten. The directories in keep stay what they are even when they lie in one of those.
func Enter(keep ...string) error {
	kept := map[string]int{}
	for _, dir := range keep {
		fd, err := syscall.Open(dir, syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("keep %s: %w", dir, err)
		}
		defer syscall.Close(fd)
		kept[dir] = fd
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE}, // nothing mounted here shows outside
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED},  // but volumes show in containers that ask for it
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
		{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV},
	} {
		if err := mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return err
		}
	}
	for _, dir := range []string{RunDir, "/run/netns", "/run/lock", "/run/var/upper", "/run/var/work", "/run/sysctl"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("prepare /run: %w", err)
		}
	}
	if err := mount("overlay", "/var", "overlay", 0, "lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work"); err != nil {
		return err
	}
	for dir, fd := range kept {
		if !strings.HasPrefix(dir, "/run/") && !strings.HasPrefix(dir, "/var/") {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("keep %s: %w", dir, err)
		}
		if err := mount(fmt.Sprintf("/proc/self/fd/%d", fd), dir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return err
		}
	}
	for name, value := range sysctls {
		copied := filepath.Join("/run/sysctl", strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(copied, []byte(value+"\n"), 0o644); err != nil {
			return fmt.Errorf("copy the setting %s: %w", name, err)
		}
		if err := mount(copied, filepath.Join("/proc/sys", name), "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}
