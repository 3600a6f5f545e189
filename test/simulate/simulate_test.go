package simulate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var (
	histories = flag.Int("histories", 400, "how many histories to play")
	first     = flag.Bool("first", false, "play no further once something is found")
)

// total is what all histories of a run came to.
type total struct {
	Histories  int          `json:"histories"`
	Operations int          `json:"operations"`
	Faults     int          `json:"faults"`
	ByKind     map[kind]int `json:"faults_by_kind"`
	Violations int          `json:"violations"`
	Slowest    float64      `json:"slowest_settle_seconds"` // virtual, from the moment when everything is well until nothing is left to do
	CPU        float64      `json:"cpu_seconds"`

	mu sync.Mutex
}

func (t *total) add(w *world) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Histories++
	t.Operations += w.done
	t.Slowest = max(t.Slowest, w.settled.Seconds())
	if len(w.violations) > 0 {
		t.Violations++
	}
	for k, n := range w.faults {
		t.Faults += n
		t.ByKind[k] += n
	}
}

func (t *total) found() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Violations > 0
}

// natural are the faults that are no operation of a history.
var natural = []kind{
	"delivery lost", "delivery twice", "delivery late", "delivery overtaken", "delivery refused", "delivered again", "wake-up lost",
	"stale write refused", "request arrives late", "release left half-done",
}

// enough is how many histories have to hold every fault. In a run in which one never met anybody, that nothing was found says nothing.
const enough = 1000

// TestSimulate plays histories. A failure is made as small as it can be and printed with its timeline and the seed that
// plays it again: make simulate SEED=…
func TestSimulate(t *testing.T) {
	sum := &total{ByKind: map[kind]int{}}
	summary = sum
	shards := min(runtime.GOMAXPROCS(0), *histories)
	set(t, "rapid.checks", strconv.Itoa((*histories+shards-1)/shards))
	set(t, "rapid.nofailfile", "true")
	t.Run("histories", func(t *testing.T) {
		for shard := range shards {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				found := false // by this one, which then makes it smaller
				rapid.Check(t, func(rt *rapid.T) {
					if !*first || found || !sum.found() {
						play(t, rt, sum, &found)
					}
				})
			})
		}
	})
	if sum.Violations == 0 && *histories >= enough {
		for _, k := range append(faultKinds(), natural...) {
			if sum.ByKind[k] == 0 {
				t.Errorf("void: %q met nobody in %d histories", k, sum.Histories)
			}
		}
	}
}

func set(t *testing.T, name, value string) {
	t.Helper()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// faultKinds are the operations that are faults: all from the first crash on.
func faultKinds() []kind {
	var faults []kind
	for _, w := range weights {
		if w.kind == opCrash || len(faults) > 0 {
			faults = append(faults, w.kind)
		}
	}
	return faults
}

// play draws a history and plays it in a bubble of its own. What rapid gives is not touched inside.
func play(t *testing.T, rt *rapid.T, sum *total, found *bool) {
	h := historyGen.Draw(rt, "history")
	once := func(tracing bool) (w *world) {
		synctest.Test(t, func(*testing.T) { w = run(h, tracing) })
		return w
	}
	w := once(false)
	if !*found { // else it is being made smaller
		sum.add(w)
	}
	if len(w.violations) == 0 {
		return
	}
	*found = true
	again := once(true)
	rt.Logf("history: %s", h)
	rt.Logf("timeline:\n%s", strings.Join(again.trace, "\n"))
	for _, v := range w.violations {
		rt.Logf("%s", v.text)
	}
	rt.Fatalf("violated: %s", w.violations[0].invariant)
}

// summary is what TestSimulate came to; nil when it did not run.
var summary *total

// TestMain unpacks the archives in memory where there is such a place, and prints the summary as the last line.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	if _, err := os.Stat("/dev/shm"); err == nil && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", "/dev/shm")
	}
	code := m.Run()
	if summary != nil {
		summary.CPU = cpu()
		line, err := json.Marshal(summary)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", line)
	}
	os.Exit(code)
}

// cpu is how many seconds of a processor this process has used.
func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Round(time.Millisecond).Seconds()
}
