package diagnose_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/diagnose"
)

// odd are texts that nobody expects.
var odd = []string{
	"", "\x00\xff", strings.Repeat("é", 5000), ":", `"`, "exec: \"", "secret \"\" not found", "exceeded quota: , requested: =, used: , limited: ", "dial tcp :99999999999999999999:",
	"Readiness probe failed: ", "listening on :0", "OOMKilled", "Failed", "{}",
}

var numbers = []float64{-1, 0, 1, 2, 3, 127, 137, 404, 1e6, 1e15}

// leaf gives another value of the same kind.
func leaf(r *rand.Rand, v any, words []string) any {
	switch x := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, x); err == nil {
			return at.Add(time.Duration(r.IntN(200)-100) * time.Second)
		}
		return words[r.IntN(len(words))]
	case float64:
		return numbers[r.IntN(len(numbers))]
	case bool:
		return !x
	}
	return nil
}

// mutate changes one place of a JSON value, chosen by chance: another value, one taken away, one twice.
func mutate(r *rand.Rand, v any, words []string) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 || r.IntN(40) == 0 {
			return nil
		}
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		k := keys[r.IntN(len(keys))]
		if r.IntN(8) == 0 {
			delete(x, k)
		} else {
			x[k] = mutate(r, x[k], words)
		}
		return x
	case []any:
		if len(x) == 0 || r.IntN(40) == 0 {
			return nil
		}
		i := r.IntN(len(x))
		switch r.IntN(8) {
		case 0:
			return slices.Delete(slices.Clone(x), i, i+1)
		case 1:
			return append(slices.Clone(x), x[i])
		}
		x[i] = mutate(r, x[i], words)
		return x
	}
	return leaf(r, v, words)
}

// stringsIn are all the texts of a JSON value.
func stringsIn(v any) []string {
	var all []string
	switch x := v.(type) {
	case map[string]any:
		for _, one := range x {
			all = append(all, stringsIn(one)...)
		}
	case []any:
		for _, one := range x {
			all = append(all, stringsIn(one)...)
		}
	case string:
		all = append(all, x)
	}
	return all
}

// corpus are the observations of the tests and those recorded from a real cluster, as JSON.
func corpus(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, c := range rules {
		text, err := json.Marshal(c.o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	for _, r := range recorded(t) {
		text, err := json.Marshal(r.Observed)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}

// TestMutations: whatever is observed, there is a verdict that keeps its promises, and the same one the second time.
func TestMutations(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	seeds := corpus(t)
	var words []string
	for _, text := range seeds {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		words = append(words, stringsIn(v)...)
	}
	slices.Sort(words)
	words = append(slices.Compact(words), odd...)
	judged := 0
	for i := range 6000 {
		var v any
		if err := json.Unmarshal([]byte(seeds[i%len(seeds)]), &v); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(6) {
			v = mutate(r, v, words)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var o diagnose.Observed
		if json.Unmarshal(text, &o) != nil {
			continue
		}
		judged++
		first := diagnose.Judge(o)
		if diff := cmp.Diff(first, diagnose.Judge(o)); diff != "" {
			t.Fatalf("seed %d: not the same the second time:\n%s\n%s", seed, diff, text)
		}
		promises(t, seed, text, first)
		d := diagnose.Explain(o)
		if d.Code == "" || d.Cause == "" || d.Fix == "" || d.Blame == "" {
			t.Fatalf("seed %d: nothing is explained: %+v\n%s", seed, d, text)
		}
	}
	if judged < 2000 {
		t.Errorf("only %d mutations were observations", judged)
	}
}

// promises checks what every verdict promises.
func promises(t *testing.T, seed uint64, text []byte, v diagnose.Verdict) {
	t.Helper()
	bad := v.State == diagnose.Hopeless && v.Diagnosis == nil || v.State == diagnose.Fine && v.Diagnosis != nil
	if d := v.Diagnosis; d != nil {
		known := slices.ContainsFunc(diagnose.Codes(), func(c diagnose.Code) bool { return c.Name == d.Code })
		bad = bad || !known || len(d.Evidence) > 12 || d.LogLines > len(d.Evidence) || d.Confidence <= 0 || d.Confidence > 1 || len(d.Cause) > 4000
		for _, line := range append(d.Evidence, d.Cause, d.Fix) {
			bad = bad || !utf8.ValidString(line)
		}
	}
	if bad {
		t.Fatalf("seed %d: %+v %+v\n%s", seed, v, v.Diagnosis, text)
	}
}
