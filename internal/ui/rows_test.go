package ui

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/usage"
)

// TestRowsAreTrue: a row that was made before is shown again only while all that it shows is the same.
func TestRowsAreTrue(t *testing.T) {
	t.Parallel()
	base := listed{}
	base.Repository, base.Number, base.Title, base.Author, base.Status = "acme/web", 7, "Title", "somebody", preview.StatusFailed
	base.HeadSHA, base.LiveSHA, base.URL, base.ChangedAt = strings.Repeat("a", 40), strings.Repeat("b", 40), "https://old.example.com", time.Now().Add(-3*time.Hour)
	base.Diagnosis = &preview.Diagnosis{Code: "PROBE", Cause: "It does not answer."}
	var r rows
	before, err := r.of(base)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.of(base); err != nil || again != before || len(r.made) != 1 {
		t.Errorf("the same row: %d made, %v", len(r.made), err)
	}
	for want, change := range map[string]func(*listed){
		"other/web":       func(l *listed) { l.Repository = "other/web" },
		"#8":              func(l *listed) { l.Number = 8 },
		"Another":         func(l *listed) { l.Title = "Another" },
		"nobody":          func(l *listed) { l.Author = "nobody" },
		"degraded":        func(l *listed) { l.Status = preview.StatusDegraded },
		"ccccccc":         func(l *listed) { l.HeadSHA = strings.Repeat("c", 40) },
		"ddddddd":         func(l *listed) { l.LiveSHA = strings.Repeat("d", 40) },
		"new.example.com": func(l *listed) { l.URL = "https://new.example.com" },
		"5 h ago":         func(l *listed) { l.ChangedAt = l.ChangedAt.Add(-2 * time.Hour) },
		"TIMEOUT":         func(l *listed) { l.Diagnosis = &preview.Diagnosis{Code: "TIMEOUT", Cause: l.Diagnosis.Cause} },
		"Nobody is there": func(l *listed) { l.Diagnosis = &preview.Diagnosis{Code: l.Diagnosis.Code, Cause: "Nobody is there."} },
		"pods 9 of 10":    func(l *listed) { l.Use = usage.Now{Warning: "pods 9 of 10"} },
		" CPU":            func(l *listed) { l.Use = usage.Now{Known: true} },
	} {
		l := base
		change(&l)
		if row, err := r.of(l); err != nil || strings.Contains(string(before), want) || !strings.Contains(string(row), want) {
			t.Errorf("%q is not shown: %v", want, err)
		}
	}
}
