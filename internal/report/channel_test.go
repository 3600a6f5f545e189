package report_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// TestChannels holds what the check run and the environment say of each state.
func TestChannels(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	all := states()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "== %s\n", name)
		if c, ok := report.Check(all[name]); ok {
			fmt.Fprintf(&b, "check run: %s (%s, waiting %v, details %q)\n", c.Title, cmp.Or(c.Conclusion, "unfinished"), c.Waiting, c.URL)
			for _, a := range c.Annotations {
				fmt.Fprintf(&b, "at %s:%d: %s: %s\n", a.Path, a.Line, a.Title, a.Message)
			}
			fmt.Fprintf(&b, "----\n%s\n----\n", c.Summary)
		}
		e := report.Environment(all[name])
		fmt.Fprintf(&b, "environment: gone %v, %s %q %s (%s)\n\n", e.Gone, cmp.Or(string(e.State), "nothing new"), preview.ShortSHA(e.SHA), e.URL, e.Description)
	}
	file := filepath.Join("testdata", "channels.txt")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("(-want +got), rewrite with -update:\n%s", d)
	}
}

// TestCheckOfOtherCommit shows that a check run says nothing of what became of another commit.
func TestCheckOfOtherCommit(t *testing.T) {
	t.Parallel()
	v := report.View{Preview: live(base(preview.StatusRunning), "9f8e7d6"), Deployments: []preview.Deployment{run("9f8e7d6", preview.DeploymentSucceeded, nil)}}
	if check, ok := report.Check(v); !ok || !check.Waiting || check.SHA != v.Preview.HeadSHA {
		t.Errorf("%+v", check)
	}
	if e := report.Environment(v); e.SHA != "" {
		t.Errorf("%+v", e)
	}
	if o := report.Overtaken(v, v.Deployments[0].SHA); o.Conclusion != "cancelled" || !strings.Contains(o.Summary, "a1b2c3d") {
		t.Errorf("%+v", o)
	}
}

// TestCheckKeepsLogs shows that lines of logs are kept out of a public repository's check run.
func TestCheckKeepsLogs(t *testing.T) {
	t.Parallel()
	p := base(preview.StatusFailed)
	p.Settled = p.Generation
	p.Diagnosis = &preview.Diagnosis{Code: "CRASH_LOOP", Cause: "It ends.", Evidence: []string{"BackOff", "the password is hunter2"}, LogLines: 1}
	for _, logs := range []bool{false, true} {
		check, _ := report.Check(report.View{Preview: p, Deployments: []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, p.Diagnosis)}, Logs: logs})
		if strings.Contains(check.Summary, "hunter2") != logs || !strings.Contains(check.Summary, "BackOff") {
			t.Errorf("logs %v: %s", logs, check.Summary)
		}
	}
}
