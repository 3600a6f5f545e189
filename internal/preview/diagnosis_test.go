package preview_test

import (
	"encoding/json"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
)

// TestRewriteReachesEverything: what is rewritten in a diagnosis is rewritten wherever it stands, also in what else may be wrong.
func TestRewriteReachesEverything(t *testing.T) {
	t.Parallel()
	d := preview.Diagnosis{
		Cause: "with hunter2", Because: "of hunter2", Fix: "change hunter2", Evidence: []string{"a", "hunter2"},
		Alternatives: []preview.Alternative{{Cause: "or hunter2", Fix: "no hunter2"}},
	}
	hide := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
	text, err := json.Marshal(d.Rewrite(hide, func(lines []string) []string { return strings.Split(hide(strings.Join(lines, "\n")), "\n") }))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") || d.Alternatives[0].Cause != "or hunter2" {
		t.Errorf("%s, and before it %+v", text, d.Alternatives)
	}
}

// TestSentence: what is not certain is not told as if it were.
func TestSentence(t *testing.T) {
	t.Parallel()
	d := preview.Diagnosis{Cause: "A is broken.", Confidence: 0.9, Alternatives: []preview.Alternative{{Cause: "B is broken.", Too: true}}}
	if got := d.Sentence(); got != "A is broken. Besides: B is broken." {
		t.Error(got)
	}
	d = preview.Diagnosis{Cause: "A is broken.", Confidence: 0.5, Because: "it smokes", Alternatives: []preview.Alternative{{Cause: "B is broken."}}}
	if got := d.Sentence(); got != "Not sure. Most likely: A is broken. (Because it smokes.) Else: B is broken." {
		t.Error(got)
	}
}
