//go:build !linux || (!amd64 && !arm64)

package sandbox

import (
	"syscall"
	"time"
)

// Enter fails with ErrUnsupported.
func Enter(Limits) (Report, error) { return Report{}, ErrUnsupported }

// Attributes are none in particular.
func Attributes(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// MayIsolate returns false.
func MayIsolate() bool { return false }

// Worked returns 0.
func Worked(int) time.Duration { return 0 }

// Lower does nothing.
func Lower(int, int) error { return nil }
