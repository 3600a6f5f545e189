package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// MemoryMiB returns the resident memory of the server in MiB.
func (c *Catalyst) MemoryMiB() (float64, error) { return memory(c.cmd.Process.Pid, "status", "VmRSS") }

// PeakMemoryMiB returns the most resident memory that the server has had, in MiB.
func (c *Catalyst) PeakMemoryMiB() (float64, error) {
	return memory(c.cmd.Process.Pid, "status", "VmHWM")
}

// WatchFamily looks several times a second at the memory of the server together with its children's, where a page that several of them
// share counts once. The function it returns ends that and returns the most that was seen, in MiB.
func (c *Catalyst) WatchFamily(ctx context.Context) (peak func() float64) {
	ctx, cancel := context.WithCancel(ctx)
	var most float64
	var looking sync.WaitGroup
	looking.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				most = max(most, family(c.cmd.Process.Pid))
			}
		}
	})
	return func() float64 { cancel(); looking.Wait(); return most }
}

// family is the memory of a process and its children now; one that ended meanwhile counts nothing.
func family(pid int) float64 {
	sum, _ := memory(pid, "smaps_rollup", "Pss")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return sum
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything; the state and the parent come after it.
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			more, _ := memory(child, "smaps_rollup", "Pss")
			sum += more
		}
	}
	return sum
}

// memory reads one line of a file about a process that is given in KiB.
func memory(pid int, file, line string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	for text := range bytes.Lines(b) {
		var kib float64
		if n, _ := fmt.Sscanf(string(text), line+": %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, errors.New("no " + line)
}
