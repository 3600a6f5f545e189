//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is the user and group of a child of root, which owns nothing.
const nobody = 65534

// Attributes are those with which a process that will Enter is started: it dies with the thread that starts it, and has a session of its own, so that
// signals from a terminal do not reach it and Lower can tell it from its parent. isolated adds what takes root's rights: namespaces of its own without
// any network, and a user that owns nothing.
func Attributes(isolated bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
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

// Lower gives all threads of a process of ours the niceness: at 19 it is still let run, but hardly before anything else. Where the kernel shares the processor
// out by session first (sched(7), "The autogroup feature") the niceness of processes counts for nothing between sessions: one that leads its own, as those
// do that are started with Attributes, takes it along. Calling it again is safe, and needed when the error is EAGAIN: the kernel lets sessions' niceness change ten times a second.
func Lower(pid, nice int) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); err != nil {
			return fmt.Errorf("lower the priority: %w", err)
		}
	}
	if leader, err := unix.Getsid(pid); err != nil || leader != pid {
		return nil //nolint:nilerr // it is in somebody else's session, or gone
	}
	err = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte(strconv.Itoa(nice)), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("lower the priority of the session: %w", err)
	}
	return nil
}
