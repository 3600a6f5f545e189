package sandbox

import "golang.org/x/sys/unix"

const filterArch = unix.AUDIT_ARCH_AARCH64

// What only this processor has, or has under another name.
var quietHere, deadlyHere []uint32
