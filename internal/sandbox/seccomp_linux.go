//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quiet are the system calls that the Go runtime, and reading and writing what is open, need. None of them reaches anything outside the
// process but its standard input, output and error.
var quiet = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
	unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM, unix.SYS_GETTID, unix.SYS_GETPID,
	unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_RESTART_SYSCALL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// deadly are those that only an attempt to get out would make: it ends the process at once. All others, opening a file among them, are
// answered with EPERM, since libraries try some of them and can do without.
var deadly = []uint32{
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_RECVMSG,
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KILL, unix.SYS_TKILL,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_SETNS, unix.SYS_UNSHARE,
	unix.SYS_BPF, unix.SYS_IO_URING_SETUP, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN, unix.SYS_KEYCTL, unix.SYS_INIT_MODULE,
	unix.SYS_FINIT_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
}

// Offsets in the kernel's struct seccomp_data. Arguments are 64 bits wide; both processors are little-endian, so the lower half is first.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

const (
	allow    = unix.SECCOMP_RET_ALLOW
	kill     = unix.SECCOMP_RET_KILL_PROCESS
	refuse   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	notThere = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// unless skips the next n instructions when the test of the accumulator fails.
func unless(test uint16, k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jf: n}
}

func answer(action uint32) unix.SockFilter { return statement(unix.BPF_RET|unix.BPF_K, action) }

func load(offset uint32) unix.SockFilter {
	return statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

// filter is the program that the kernel asks about each system call of process pid.
func filter(pid uint32) []unix.SockFilter {
	program := []unix.SockFilter{
		load(offsetArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: filterArch, Jt: 1},
		answer(kill),
		load(offsetNumber),
		unless(unix.BPF_JGE, 0x40000000, 1), // amd64's second set of numbers
		answer(kill),
	}
	for _, group := range []struct {
		numbers []uint32
		action  uint32
	}{{append(quiet, quietHere...), allow}, {append(deadly, deadlyHere...), kill}, {[]uint32{unix.SYS_CLONE3}, notThere}} {
		for _, number := range group.numbers {
			program = append(program, unless(unix.BPF_JEQ, number, 1), answer(group.action))
		}
	}
	// The last word of each depends on an argument.
	argument := func(number uint32, index uint32, test uint16, k uint32, then, otherwise uint32) {
		program = append(program, unless(unix.BPF_JEQ, number, 4),
			load(offsetArgs+8*index), unless(test, k, 1), answer(then), answer(otherwise))
	}
	argument(unix.SYS_CLONE, 0, unix.BPF_JSET, unix.CLONE_THREAD, allow, kill)
	argument(unix.SYS_MMAP, 2, unix.BPF_JSET, unix.PROT_EXEC, kill, allow)
	argument(unix.SYS_MPROTECT, 2, unix.BPF_JSET, unix.PROT_EXEC, kill, allow)
	argument(unix.SYS_TGKILL, 0, unix.BPF_JEQ, pid, allow, kill)
	argument(unix.SYS_PRCTL, 0, unix.BPF_JEQ, unix.PR_SET_VMA, allow, refuse)
	return append(program, answer(refuse))
}

// installFilter puts the filter in force for all threads.
func installFilter() error {
	// Without this right the kernel takes no filter from an unprivileged thread; restrictFiles has set it for all of them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	program := filter(uint32(os.Getpid()))
	description := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&description)))
	switch {
	case errors.Is(errno, unix.ENOSYS), errors.Is(errno, unix.EINVAL):
		return fmt.Errorf("%w: the kernel has no seccomp filters (%w)", ErrUnsupported, errno)
	case errno != 0:
		return fmt.Errorf("install the seccomp filter: %w", errno)
	case thread != 0:
		return fmt.Errorf("install the seccomp filter: thread %d could not take it", thread)
	}
	return nil
}
