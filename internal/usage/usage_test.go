package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// counted is a source that says what it is told to.
type counted struct {
	pods   map[string][]cluster.PodUsage
	quotas map[string][]cluster.QuotaLine
	err    error
}

func (c *counted) Usage(context.Context) (map[string][]cluster.PodUsage, error) { return c.pods, c.err }

func (c *counted) QuotaUse(_ context.Context, namespace string) ([]cluster.QuotaLine, error) {
	return c.quotas[namespace], nil
}

// setup is a sampler at a time that tests move.
func setup() (*Sampler, *counted, *time.Time) {
	source := &counted{pods: map[string][]cluster.PodUsage{}, quotas: map[string][]cluster.QuotaLine{}}
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	s := New(source, slog.New(slog.DiscardHandler))
	s.now = func() time.Time { return now }
	return s, source, &now
}

func use(pod string, cpu, memory int64) cluster.PodUsage {
	return cluster.PodUsage{Pod: pod, Amount: cluster.Amount{CPU: cpu, Memory: memory}}
}

// TestTwoDays: what is kept stays bounded, an hour finely and a day by the minute, with the mean of the processor and the peak of the memory.
func TestTwoDays(t *testing.T) {
	t.Parallel()
	s, source, now := setup()
	for i := range 48 * 60 * 4 {
		source.pods = map[string][]cluster.PodUsage{"pr-web-1": {use("web", int64(100*(i%4)), int64(i%4)), use("db", 10, 1)}}
		s.sample(t.Context())
		*now = now.Add(Fine)
	}
	hour, note := s.Past("pr-web-1", FineFor)
	if note != "" || len(hour.Total) != 240 || len(hour.Pods) != 2 || len(hour.Pods[0].Points) != 240 {
		t.Fatalf("an hour: %d points, %d pods, note %q", len(hour.Total), len(hour.Pods), note)
	}
	if got := hour.Total[239].Amount; got != (cluster.Amount{CPU: 310, Memory: 4}) {
		t.Errorf("the last sample is %+v", got)
	}
	day, _ := s.Past("pr-web-1", CoarseFor)
	if len(day.Total) != 24*60 {
		t.Fatalf("a day: %d points", len(day.Total))
	}
	if got := day.Total[700].Amount; got != (cluster.Amount{CPU: 160, Memory: 4}) {
		t.Errorf("a minute is %+v, want the mean of the processor and the peak of the memory", got)
	}
	for i := 1; i < len(day.Total); i++ {
		if day.Total[i].At.Sub(day.Total[i-1].At) != Coarse {
			t.Fatalf("minutes %s and %s follow each other", day.Total[i-1].At, day.Total[i].At)
		}
	}
	source.pods = nil
	*now = now.Add(CoarseFor + time.Minute)
	s.sample(t.Context())
	if gone, _ := s.Past("pr-web-1", CoarseFor); len(gone.Total)+len(gone.Pods)+len(s.past) != 0 {
		t.Errorf("a day after it was gone, %d points and %d previews are kept", len(gone.Total), len(s.past))
	}
}

// TestPodsComeAndGo: a preview whose pods change all the time does not fill the memory, and keeps those that were seen last.
func TestPodsComeAndGo(t *testing.T) {
	t.Parallel()
	s, source, now := setup()
	for i := range 500 {
		source.pods = map[string][]cluster.PodUsage{"pr-web-1": {use(fmt.Sprintf("web-%03d", i), 1, 1)}}
		s.sample(t.Context())
		*now = now.Add(Fine)
	}
	got, _ := s.Past("pr-web-1", CoarseFor)
	if len(got.Pods) != maxPods || got.Pods[0].Pod != "web-499" {
		t.Errorf("%d pods, the first is %v", len(got.Pods), got.Pods[0].Pod)
	}
}

// TestNow: what is shown as now was counted lately, and a quota that is all but used up is told.
func TestNow(t *testing.T) {
	t.Parallel()
	s, source, now := setup()
	if n := s.Now("pr-web-1"); n.Known {
		t.Errorf("known before the first sample: %+v", n)
	}
	source.pods = map[string][]cluster.PodUsage{"pr-web-1": {use("web", 250, 64<<20)}, "pr-web-2": nil}
	source.quotas["pr-web-1"] = []cluster.QuotaLine{{Name: "requests.cpu", Used: "1", Hard: "2", Part: 0.5}, {Name: "requests.memory", Used: "1900Mi", Hard: "2Gi", Part: 0.93}}
	s.sample(t.Context())
	s.look(t.Context())
	if n := s.Now("pr-web-1"); !n.Known || n.CPU != 250 || n.Warning != "requests.memory 1900Mi of 2Gi" {
		t.Errorf("now: %+v", n)
	}
	if n := s.Now("pr-web-2"); !n.Known || n.CPU != 0 || n.Warning != "" {
		t.Errorf("without pods: %+v", n)
	}
	*now = now.Add(2 * time.Minute)
	if n := s.Now("pr-web-1"); n.Known {
		t.Errorf("two minutes later it is still taken for now: %+v", n)
	}
}

// TestWithout: where nothing is counted, people are told why, what was counted before stays, and it goes on when it is counted again.
func TestWithout(t *testing.T) {
	t.Parallel()
	s, source, now := setup()
	source.pods = map[string][]cluster.PodUsage{"pr-web-1": {use("web", 1, 1)}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {fmt.Errorf("x: %w", preview.ErrNotFound), "need metrics-server"}, {fmt.Errorf("x: %w", preview.ErrForbidden), "may not read"},
		{errors.New("timeout"), "do not answer"}, {nil, ""},
	} {
		source.err = c.err
		s.sample(t.Context())
		*now = now.Add(Fine)
		got, note := s.Past("pr-web-1", FineFor)
		if len(got.Total) == 0 || (note == "") != (c.want == "") || !strings.Contains(note, c.want) {
			t.Errorf("%v: %d points, note %q", c.err, len(got.Total), note)
		}
	}
}
