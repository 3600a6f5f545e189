// Package process names processes so that a process id used again by another program is never taken for the one recorded.
package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ID is a process: its id and when it started, in clock ticks since boot.
type ID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// Of identifies the living process pid.
func Of(pid int) (ID, error) {
	start, _, err := stat(pid)
	if err != nil {
		return ID{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return ID{PID: pid, Start: start}, nil
}

// Alive tells whether the very process still runs; a dead one nobody has waited for counts as gone.
func (id ID) Alive() bool {
	if id.PID == 0 {
		return false
	}
	start, state, err := stat(id.PID)
	if err != nil || start != id.Start {
		return false
	}
	if state != 'Z' && state != 'X' {
		return true
	}
	// The first thread may have ended before the others; the last one of a process namespace's first process still ends the rest.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", id.PID))
	return err == nil && len(threads) > 1
}

// Signal sends sig to the very process; a process that is gone is no error.
func (id ID) Signal(sig syscall.Signal) error {
	if !id.Alive() {
		return nil
	}
	if err := syscall.Kill(id.PID, sig); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("signal process %d: %w", id.PID, err)
	}
	return nil
}

// stat reads a process's start time and state letter.
func stat(pid int) (start uint64, state byte, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The second field is the program's name in brackets and may hold anything, so count from its end.
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0][0], err
}

// Inside maps the process ids of the process namespace whose first process is init (as seen from here) to those seen from here.
func Inside(init int) map[int]int {
	out := map[int]int{}
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", init))
	if err != nil {
		return out
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != space {
			continue
		}
		b, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			ids, ok := strings.CutPrefix(line, "NSpid:")
			if !ok {
				continue
			}
			if f := strings.Fields(ids); len(f) >= 2 {
				outer, _ := strconv.Atoi(f[0])
				inner, _ := strconv.Atoi(f[len(f)-1])
				out[inner] = outer
			}
		}
	}
	return out
}
