package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"catalyst.dev/catalyst/internal/preview"
)

// fileLock holds an advisory lock on a file until it is released or the process ends, however it ends.
type fileLock struct{ file *os.File }

// lockFile takes the lock, or returns preview.ErrConflict at once when another process has it.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
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
