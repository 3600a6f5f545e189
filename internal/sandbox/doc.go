// Package sandbox shuts the process it runs in: after Enter it can compute, read what it was given and write its answer, and
// nothing else. No file, no network, no other process, and no more memory and processor time than it was allowed. It is meant for
// a child of the server that does one piece of work on foreign input and ends.
//
// It works without any privilege, in an ordinary container: by resource limits, a seccomp filter for all threads, and Landlock where
// the kernel has it. With root's rights Attributes adds namespaces of its own and takes root away. Of these the seccomp filter is the one
// that must be there: without it Enter fails.
//
// The package must not know what the work is.
package sandbox

import (
	"errors"
	"time"
)

// ErrUnsupported says that this system has no sandbox: another system than Linux, another processor than amd64 and arm64, or a kernel
// without seccomp.
var ErrUnsupported = errors.New("no sandbox on this system")

// Limits bound what the process may use from Enter on.
type Limits struct {
	Memory int64         // bytes of memory that is not shared and can be written
	CPU    time.Duration // processor time, all threads together; rounded up to seconds
	Files  uint64        // open file descriptors
}

// Report says what holds the process besides its limits and the seccomp filter.
type Report struct {
	Landlock int `json:"landlock"` // version of the kernel's Landlock; 0: it has none
}
