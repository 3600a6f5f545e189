package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample has a finding of each kind.
var sample = []Finding{
	{Group: "cluster", Name: "API server", Status: OK, Found: "v1.37.2 at https://10.0.0.1:6443"},
	{
		Group: "cluster", Name: "may manage pods/log", Status: Fail, Found: "may not get",
		Why: "Without it previews cannot be made, guarded or taken away.", Fix: "kubectl apply -f deploy/manifests",
	},
	{
		Group: "cluster", Name: "default storage class", Status: Warn, Found: "there is no storage class",
		Why: "A chart that asks for storage and names no class waits for ever.", Fix: "Install a storage provisioner, if previews need storage.",
	},
	{Group: "GitHub", Name: "webhook", Status: Skip, Found: "not checked: Catalyst works with a token"},
	{Group: "GitHub", Name: "clock", Status: OK, Found: "in step"},
}

// TestRun: findings come in the order of the checks, however long each takes, and one that hangs, even deaf to its deadline, ends in a failure.
func TestRun(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	first := make(chan struct{})
	checks := []Check{
		One("g", "slow", func(context.Context) Finding { <-first; return Finding{Status: OK} }),
		One("g", "fast", func(context.Context) Finding { close(first); return Finding{Status: Warn} }),
		{Group: "g", Name: "deaf", Limit: time.Millisecond, Run: func(context.Context) []Finding { <-release; return nil }},
		{Group: "g", Name: "polite", Limit: time.Millisecond, Run: func(ctx context.Context) []Finding {
			<-ctx.Done()
			return []Finding{{Name: "polite", Status: Fail, Found: ctx.Err().Error()}}
		}},
	}
	var got []string
	findings := Run(t.Context(), checks)
	for _, f := range findings {
		got = append(got, f.Name+" "+string(f.Status)+" "+f.Found)
	}
	want := []string{"slow ok ", "fast warn ", "deaf fail no answer within 1ms", "polite fail context deadline exceeded"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if Worst(findings) != Fail || Worst(findings[:2]) != Warn || Worst(nil) != OK {
		t.Error("Worst is wrong")
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	for name, colour := range map[string]bool{"testdata/plain.golden": false, "testdata/colour.golden": true} {
		var out bytes.Buffer
		if err := Print(&out, sample, colour); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b") != colour {
			t.Errorf("%s: colours", name)
		}
		golden(t, name, out.String())
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := JSON(&out, sample); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/json.golden", out.String())
	out.Reset()
	var empty struct {
		OK       bool
		Findings []Finding
	}
	if err := errors.Join(JSON(&out, nil), json.Unmarshal(out.Bytes(), &empty)); err != nil || !empty.OK || empty.Findings == nil {
		t.Errorf("%s: %v", out.String(), err)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

// one runs a check that has one finding.
func one(t *testing.T, c Check) Finding {
	t.Helper()
	findings := Run(t.Context(), []Check{c})
	if len(findings) != 1 {
		t.Fatalf("%+v", findings)
	}
	if f := findings[0]; (f.Status == Fail || f.Status == Warn) && (f.Found == "" || f.Why == "" || f.Fix == "") {
		t.Errorf("%+v", f)
	}
	return findings[0]
}

func TestDNS(t *testing.T) {
	t.Parallel()
	var asked []string
	resolves := func(_ context.Context, host string) ([]string, error) {
		asked = append(asked, host)
		return []string{"203.0.113.7"}, nil
	}
	if f := one(t, DNS("preview.example.com", resolves)); f.Status != OK || !strings.Contains(f.Found, "203.0.113.7") {
		t.Errorf("%+v", f)
	}
	one(t, DNS("preview.example.com", resolves))
	if len(asked) != 2 || asked[0] == asked[1] || !strings.HasSuffix(asked[0], ".preview.example.com") {
		t.Errorf("asked for %q: the names must be made up", asked)
	}
	for name, resolve := range map[string]Resolver{
		"error":   func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") },
		"nothing": func(context.Context, string) ([]string, error) { return nil, nil },
	} {
		if f := one(t, DNS("preview.example.com", resolve)); f.Status != Fail {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := one(t, DNS("preview.localhost", nil)); f.Status != OK {
		t.Errorf("%+v", f)
	}
}

// TestApart: pages of previews must not share a registrable domain with Catalyst's own, and never be above them (O8).
func TestApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		domain, public string
		want           Status
	}{
		{"preview.example.com", "https://catalyst.example.org", OK},
		{"preview.example.com", "https://catalyst.example.com", Warn},
		{"example.com", "https://catalyst.example.com", Fail},
		{"catalyst.example.com", "https://catalyst.example.com:8443", Fail},
		{"acme.co.uk", "https://umbrella.co.uk", OK},      // co.uk is nobody's
		{"acme.github.io", "https://other.github.io", OK}, // each owner's is a domain of its own
		{"preview.acme.github.io", "https://acme.github.io", Warn},
		{"preview.localhost", "http://127.0.0.1:8090", OK},
		{"preview.localhost", "http://catalyst.localhost:8090", OK},
		{"preview.example.com", "", Skip},
	} {
		if f := one(t, Apart(c.domain, c.public)); f.Status != c.want {
			t.Errorf("%s and %q: %+v, want %s", c.domain, c.public, f, c.want)
		}
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for off, want := range map[time.Duration]Status{0: OK, 9 * time.Second: OK, -30 * time.Second: Warn, 46 * time.Second: Fail, -time.Hour: Fail} {
		if f := Skew("g", now.Add(-off), now); f.Status != want || want != OK && f.Fix == "" {
			t.Errorf("%s off: %+v, want %s", off, f, want)
		}
	}
	if f := Clock("g", http.Header{}, now); f.Status != Skip {
		t.Errorf("%+v", f)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	findings := Run(t.Context(), []Check{Reach("g", "API", server.URL, time.Now)})
	if len(findings) != 2 || findings[0].Status != OK || findings[1].Name != "clock" {
		t.Errorf("%+v", findings)
	}
	server.Close()
	if f := one(t, Reach("g", "API", server.URL, time.Now)); f.Status != Fail {
		t.Errorf("%+v", f)
	}
}
