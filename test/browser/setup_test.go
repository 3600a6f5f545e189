package browser

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/usage"
	"catalyst.dev/catalyst/test/pages"
)

// chrome is shared by all tests: each has a tab of its own.
var chrome = sync.OnceValues(func() (*Chrome, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	return Start(path)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if c, err := chrome(); err == nil {
		_ = c.Close()
	}
	os.Exit(code)
}

// setup is a site and a page of a browser that is signed in there.
func setup(t *testing.T, in pages.Inside) (*pages.Site, *Page) {
	t.Helper()
	c, err := chrome()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	site, err := pages.Serve(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = site.Close() })
	page, err := c.Open()
	if err == nil {
		t.Cleanup(func() { _ = page.Close() })
		err = page.Look(Look{Width: 1440, Height: 900})
	}
	if err == nil {
		err = page.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{
			"source": `window.__refused = []; document.addEventListener('securitypolicyviolation', e => __refused.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));`,
		}, nil)
	}
	if err == nil {
		err = page.Go(site.Invite)
	}
	if err != nil {
		t.Fatal(err)
	}
	return site, page
}

// do fails the test when something did not work.
func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// calm is a namespace as it usually is.
func calm() pages.Inside {
	began := time.Now().Add(-time.Hour)
	return pages.Inside{
		Pods: []cluster.Container{{Pod: "web-7c9f", Name: "web", State: "running", StartedAt: began, Restarts: 2, Previous: true}, {Pod: "search-0", Name: "search", State: "running", StartedAt: began}},
		Lines: func(r cluster.LogRequest) io.Reader {
			var b strings.Builder
			from := began
			if r.Previous {
				from = began.Add(-10 * time.Minute)
			}
			for i := range 60 {
				text := []string{"GET /checkout 200 12ms", `{"level":"warn","msg":"slow query","ms":840}`, "\x1b[32mready\x1b[0m to serve", "[ERROR] cannot reach the database: lookup db: no such host"}[i%4]
				fmt.Fprintf(&b, "%s %s\n", from.Add(time.Duration(i)*time.Second).UTC().Format(time.RFC3339Nano), text)
			}
			return strings.NewReader(b.String())
		},
		Said: []diagnose.Event{
			{Ref: diagnose.Ref{Kind: "Pod", Name: "web-7c9f"}, Reason: "BackOff", Message: "Back-off restarting failed container web", Count: 14, Warning: true, Last: time.Now().Add(-10 * time.Second)},
			{Ref: diagnose.Ref{Kind: "Pod", Name: "search-0"}, Reason: "Pulled", Message: "Container image already present on machine", Count: 1, Last: time.Now().Add(-5 * time.Minute)},
		},
		Report: report,
	}
}

// report is a day in which a preview used this and that.
func report(since time.Duration) usage.Report {
	step, n := usage.Fine, 240
	if since > usage.FineFor {
		step, n = usage.Coarse, 1000
	}
	now := time.Now()
	line := func(cpu, memory int64) (points []usage.Point) {
		for i := range n {
			wave := int64(i % 37)
			points = append(points, usage.Point{At: now.Add(-time.Duration(n-i) * step), Amount: cluster.Amount{CPU: cpu + cpu*wave/40, Memory: memory + int64(i)*memory/(2*int64(n))}})
		}
		return points
	}
	plan := func(pod, phase string, restarts int) cluster.PodPlan {
		return cluster.PodPlan{Pod: pod, Phase: phase, Requests: cluster.Amount{CPU: 250, Memory: 256 << 20}, Limits: cluster.Amount{CPU: 1000, Memory: 512 << 20}, Restarts: restarts}
	}
	return usage.Report{
		Total: line(210, 300<<20),
		Pods:  []usage.Pod{{PodPlan: plan("search-0", "Running", 0), Points: line(90, 120<<20)}, {PodPlan: plan("web-7c9f", "Running", 2), Points: line(120, 180<<20)}, {PodPlan: cluster.PodPlan{Pod: "web-55d1"}, Points: line(10, 40<<20)[:60]}},
		Quota: []cluster.QuotaLine{{Name: "requests.cpu", Used: "500m", Hard: "4", Part: 0.125}, {Name: "requests.memory", Used: "1900Mi", Hard: "2Gi", Part: 0.93}, {Name: "pods", Used: "2", Hard: "30", Part: 0.067}},
		Marks: []usage.Mark{{At: now.Add(-40 * time.Minute), Kind: usage.MarkDeploy, Text: "a1b2c3d deployed"}, {At: now.Add(-12 * time.Minute), Kind: usage.MarkRestart, Text: "web-7c9f/web ended: OOMKilled, exit code 137"}},
	}
}

// places are all pages, by what they are called.
func places(t *testing.T, s *pages.Site) map[string]string {
	t.Helper()
	p, err := s.Store.Named(t.Context(), pages.Repository, pages.Failed)
	do(t, err)
	deployments, err := s.Store.Deployments(t.Context(), p.ID, 1)
	do(t, err)
	all := map[string]string{
		"previews": "/", "previews-none": "/?status=all&q=nothing", "previews-deleted": "/?status=deleted", "queue": "/queue", "deliveries": "/deliveries", "system": "/system", "tokens": "/tokens",
		"login": "/login", "missing": "/p/" + pages.Repository + "/9999", "deployment": "/d/" + deployments[0].ID,
	}
	for name, number := range map[string]int{"running": pages.Running, "failed": pages.Failed, "degraded": pages.Degraded, "blocked": pages.Blocked, "deploying": pages.Deploying, "queued": pages.Queued, "pending": pages.Pending, "deleted": pages.Deleted} {
		all["preview-"+name] = fmt.Sprintf("/p/%s/%d", pages.Repository, number)
	}
	for _, tab := range []string{"logs", "resources", "events", "config"} {
		all["preview-failed-"+tab] = fmt.Sprintf("/p/%s/%d/%s", pages.Repository, pages.Failed, tab)
	}
	all["preview-queued-logs"] = fmt.Sprintf("/p/%s/%d/logs", pages.Repository, pages.Queued)
	all["preview-queued-resources"] = fmt.Sprintf("/p/%s/%d/resources", pages.Repository, pages.Queued)
	return all
}

// status waits until the preview is stored with the status.
func status(t *testing.T, s *pages.Site, number int, want preview.Status) {
	t.Helper()
	p, err := s.Store.Named(t.Context(), pages.Repository, number)
	if err != nil || p.Status != want {
		t.Fatalf("#%d is %s (%v), want %s", number, p.Status, err, want)
	}
}
