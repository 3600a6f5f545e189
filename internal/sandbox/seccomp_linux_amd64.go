package sandbox

import "golang.org/x/sys/unix"

const filterArch = unix.AUDIT_ARCH_X86_64

// What only this processor has, or has under another name.
var (
	quietHere  = []uint32{unix.SYS_EPOLL_WAIT}
	deadlyHere = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_MODIFY_LDT}
)
