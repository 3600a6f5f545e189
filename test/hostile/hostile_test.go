package main

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// TestHostile is the short form: the same charts with less time and memory, several at once, and without a cluster.
func TestHostile(t *testing.T) {
	t.Parallel()
	f, err := newField(render.Limits{Time: 1500 * time.Millisecond, Memory: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	all := corpus(f.bait)
	if len(all) < 40 {
		t.Errorf("%d charts", len(all))
	}
	t.Run("charts", func(t *testing.T) {
		for _, h := range all {
			t.Run(strings.ReplaceAll(h.name, " ", "-"), func(t *testing.T) {
				t.Parallel()
				h.codes = append(h.codes, preview.CodeRenderLimit) // on a busy machine, what is slow meets the short time first
				o := f.try(t.Context(), h)
				for _, w := range o.wrong { // the twenty seconds too: what ends a chart is a limit, and no machine is too busy for it
					t.Errorf("%s after %s: %s %q", w, o.took, o.code, o.cause)
				}
			})
		}
	})
	if n := f.hits.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// TestTryBites: a chart that comes through, tells the canary or asks the server does not pass for a good outcome.
func TestTryBites(t *testing.T) {
	t.Parallel()
	f, err := newField(render.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for name, c := range map[string]struct{ template, wrong string }{
		"comes through": {object(""), "it came through"},
		"leaks":         {`{{ fail "` + f.canary + `" }}`, "the canary got out"},
		"other code":    {`{{ fail "x" }}`, "none of"},
	} {
		codes := overLimit
		if name == "leaks" {
			codes = rendering
		}
		o := f.try(t.Context(), hostile{name: name, archive: template(c.template), codes: codes})
		if !strings.Contains(strings.Join(o.wrong, ";"), c.wrong) {
			t.Errorf("%s: %+v, want %q", name, o, c.wrong)
		}
	}
}
