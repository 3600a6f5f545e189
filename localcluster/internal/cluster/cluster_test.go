package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/localcluster/internal/process"
)

func TestAllocateAtTheSameTime(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	var wg sync.WaitGroup
	indexes := make([]int, 8)
	for i := range indexes {
		wg.Go(func() {
			c, err := OpenDir(filepath.Join(home, "c"+string(rune('a'+i))))
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.Allocate(); err != nil {
				t.Error(err)
			}
			indexes[i] = c.Index
		})
	}
	wg.Wait()
	slices.Sort(indexes)
	if len(slices.Compact(slices.Clone(indexes))) != len(indexes) {
		t.Errorf("two clusters share an index: %v", indexes)
	}
}

func TestRecordIsRemembered(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "one")
	c, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Known() {
		t.Error("a cluster nobody started is known")
	}
	if err := c.Allocate(); err != nil {
		t.Fatal(err)
	}
	c.Port, c.Node, c.Supervisor = 7090, Real, process.ID{PID: 7, Start: 8}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, again); d != "" {
		t.Errorf("read back (-written +read):\n%s", d)
	}
}

func TestOpenRefusesNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", "A", "-a", "a-", "a b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if _, err := Open(name); err == nil {
			t.Errorf("Open(%q) is no error", name)
		}
	}
}

func TestStatusIsCheckedAgainstProcesses(t *testing.T) {
	t.Parallel()
	self, err := process.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenDir(filepath.Join(t.TempDir(), "one"))
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		s := Status{State: Running, Components: []Component{{Name: "here", Alive: true, Inner: self}}}
		if err := WriteJSON(c.Path("status.json"), s); err != nil {
			t.Fatal(err)
		}
	}
	write()
	c.Supervisor = self
	if s, err := c.ReadStatus(); err != nil || s.State != Running || s.Components[0].PID != self.PID {
		t.Errorf("status of a running cluster: %+v, %v", s, err)
	}
	c.Supervisor.Start-- // the same id, used again by another process
	if s, err := c.ReadStatus(); err != nil || s.State != Stopped {
		t.Errorf("status after the supervisor's end: %+v, %v", s, err)
	}
}
