package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// fileLock holds an advisory lock on a file until it is released or the process ends, however it ends.
type fileLock struct{ file *os.File }

// lockPatience is how long the lock is waited for: a process that was killed while it started another one leaves the lock to that for a moment.
const lockPatience = 2 * time.Second

// lockFile takes the lock, or returns preview.ErrConflict when another process has it and keeps it.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.EWOULDBLOCK
	for asked := time.Now(); errors.Is(err, syscall.EWOULDBLOCK); {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || time.Since(asked) > lockPatience {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another catalyst process uses this file; stop it, or use PostgreSQL for several processes: %w", preview.ErrConflict)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{file: f}, nil
}

// release gives the lock up. The file stays: removing it would let two processes lock two files of one name.
func (l *fileLock) release() error {
	if l == nil || l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
