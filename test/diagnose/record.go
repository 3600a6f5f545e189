package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/diagnose"
)

// recording is an observation of a real cluster with the code it must give.
type recording struct {
	Want     string            `json:"want"`
	Also     string            `json:"also,omitempty"`
	Observed diagnose.Observed `json:"observed"`
}

// dull are the reasons of events that no verdict looks at.
var dull = []string{"Scheduled", "Pulled", "Pulling", "Created", "Started", "SuccessfulCreate", "ScalingReplicaSet", "SuccessfulDelete"}

// record writes what the failures rest on, without what is this machine's own, where the tests of package diagnose read it.
func record(dir, registry string, results []result) error {
	for _, r := range results {
		if r.rests == nil || r.why != "" {
			continue
		}
		o := *r.rests
		o.Events = slices.DeleteFunc(slices.Clone(o.Events), func(e diagnose.Event) bool { return slices.Contains(dull, e.Reason) })
		text, err := json.MarshalIndent(recording{Want: r.want, Also: r.also, Observed: o}, "", " ")
		if err != nil {
			return err
		}
		plain := strings.ReplaceAll(string(text), registry, "registry.example.com")
		if err := os.WriteFile(filepath.Join(dir, r.name+".json"), []byte(plain+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
