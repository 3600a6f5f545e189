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

// Enter shuts the process. It is called once, before the first byte of foreign input is read; what is open then besides standard input,
// output and error is closed. There is no way back. After an error the process is in an undefined state and must end without
// having read anything.
func Enter(l Limits) (Report, error) {
	closeInherited()
	preferAsVictim()
	if err := limit(l); err != nil {
		return Report{}, err
	}
	// Landlock first: afterwards its system calls are filtered.
	landlock, err := restrictFiles()
	if err != nil {
		return Report{}, err
	}
	if err := installFilter(); err != nil {
		return Report{}, err
	}
	return Report{Landlock: landlock}, probe()
}

// closeInherited closes what the parent's own parent may have left open. What has no file type is the Go runtime's: epoll and eventfd.
func closeInherited() {
	for fd := 3; fd < 1024; fd++ {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT != 0 {
			_ = unix.Close(fd)
		}
	}
}

// preferAsVictim lets the kernel end this process, rather than its parent, when the container runs out of memory.
func preferAsVictim() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(1000)), 0o600) // without /proc it stays as it is
}

func limit(l Limits) error {
	cpu := uint64((l.CPU + time.Second - 1) / time.Second)
	for _, one := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"memory", unix.RLIMIT_DATA, uint64(l.Memory)},
		{"processor time", unix.RLIMIT_CPU, cpu},
		{"open files", unix.RLIMIT_NOFILE, l.Files},
		{"file size", unix.RLIMIT_FSIZE, 0},
		{"core dump", unix.RLIMIT_CORE, 0},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0},
		{"locked memory", unix.RLIMIT_MEMLOCK, 0},
	} {
		// The syscall package's, which also forgets the limit of open files that the runtime would set back.
		err := syscall.Setrlimit(one.resource, &syscall.Rlimit{Cur: one.most, Max: one.most})
		if err != nil {
			return fmt.Errorf("limit %s: %w", one.name, err)
		}
	}
	return nil
}

// probe tries what the filter must refuse: a filter that is not in force would otherwise go unnoticed.
func probe() error {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
		return errors.New("the seccomp filter is installed, but a file could still be opened")
	}
	if !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the seccomp filter is installed, but opening a file failed for another reason: %w", err)
	}
	return nil
}
