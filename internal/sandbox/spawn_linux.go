//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

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

// Lower gives the calling thread, and what it starts, less of the processor. The thread's goroutine must be locked to it and end locked: there is
// no way back for the thread.
func Lower(nice int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	return nil
}

// LowerAll gives all threads of a process of ours the least of the processor: it is still let run, but not before anything else.
func LowerAll(pid int) error {
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
