package diagnose_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/diagnose"
)

// recording is an observation of a real cluster, written by test/diagnose, with what must be said about it.
type recording struct {
	Want     string            `json:"want"`
	Also     string            `json:"also"`
	Observed diagnose.Observed `json:"observed"`
}

// recorded reads the recordings, by the name of the chart they are of.
func recorded(t *testing.T) map[string]recording {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]recording{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = r
	}
	return all
}

// TestRecorded: what a real cluster showed of each broken chart gives the cause that was built into it.
func TestRecorded(t *testing.T) {
	t.Parallel()
	all := recorded(t)
	for name, r := range all {
		v := diagnose.Judge(r.Observed)
		if v.State != diagnose.Hopeless || v.Diagnosis.Code != r.Want {
			t.Errorf("%s: %s, want %s: %+v", name, v.State, r.Want, v.Diagnosis)
			continue
		}
		also := ""
		for _, a := range v.Diagnosis.Alternatives {
			if a.Too {
				also = a.Code
			}
		}
		if also != r.Also {
			t.Errorf("%s: also %q, want %q", name, also, r.Also)
		}
	}
	if len(all) < 30 {
		t.Errorf("only %d recordings", len(all))
	}
}
