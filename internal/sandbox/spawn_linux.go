//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is the user and group of a child of root, which owns nothing.
const nobody = 65534

// Attributes are those with which a process that will Enter is started: it dies with the thread that starts it, and signals from a
// terminal do not reach it. isolated adds what takes root's rights: namespaces of its own without any network, and a user that owns nothing.
func Attributes(isolated bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if isolated {
		a.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}

// MayIsolate reports whether this process may try to start isolated ones.
func MayIsolate() bool { return os.Geteuid() == 0 }

// Worked is the processor time that a process of ours has used; 0 when it cannot be told.
func Worked(pid int) time.Duration {
	var t unix.Timespec
	clock := int32(^pid<<3 | 2) // the kernel's name for the processor clock of a process
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Lower gives all threads of a process of ours the least of the processor: it is still let run, but not before anything else.
func Lower(pid int) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, 19); err != nil {
			return fmt.Errorf("lower the priority: %w", err)
		}
	}
	return nil
}
