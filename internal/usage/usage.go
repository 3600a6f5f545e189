// Package usage keeps what previews use of CPU and memory: sampled while Catalyst runs, in memory, for an hour finely and for a day by the minute. It is a help for
// people: nothing is decided by it, and where the cluster counts nothing, it says so.
package usage

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// Source tells what is used now.
type Source interface {
	Usage(ctx context.Context) (map[string][]cluster.PodUsage, error)
	QuotaUse(ctx context.Context, namespace string) ([]cluster.QuotaLine, error)
}

// quotaEvery is how many samples come between two looks at the quotas, which are one request for each preview.
const quotaEvery = 8

// Warn is the part of a quota from which on people are warned.
const Warn = 0.9

// Sampler samples. Safe for concurrent use.
type Sampler struct {
	source Source
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	past   map[string]*past // by namespace: its name is one preview's for ever
	quotas map[string][]cluster.QuotaLine
	note   string
	failed string // what was logged last, so that it is logged once
}

// New returns a sampler that knows nothing yet.
func New(source Source, log *slog.Logger) *Sampler {
	return &Sampler{
		source: source, log: log, now: time.Now, past: map[string]*past{}, quotas: map[string][]cluster.QuotaLine{},
		note: "CPU and memory were not looked at yet: the first figures come within half a minute.",
	}
}

// Run samples until ctx ends: one request every Fine for all previews together, and one for each preview's quota every two minutes.
func (s *Sampler) Run(ctx context.Context) {
	ticker := time.NewTicker(Fine)
	defer ticker.Stop()
	for n := 0; ; n++ {
		s.sample(ctx)
		if n%quotaEvery == 0 {
			s.look(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Sampler) sample(ctx context.Context) {
	found, err := s.source.Usage(ctx)
	if ctx.Err() != nil {
		return
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note = why(err)
	if err != nil {
		if s.failed != s.note {
			s.log.Info("the use of CPU and memory is not known", "error", err)
		}
		s.failed = s.note
		return
	}
	s.failed = ""
	for namespace, pods := range found {
		if s.past[namespace] == nil {
			s.past[namespace] = &past{pods: map[string]*podPast{}}
		}
		s.past[namespace].add(now, pods)
	}
	for namespace, p := range s.past {
		if now.Sub(p.seen) > CoarseFor {
			delete(s.past, namespace)
		}
	}
}

// why says to people why nothing is known; empty when something is.
func why(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, preview.ErrNotFound):
		return "CPU and memory need metrics-server, which this cluster does not have. Everything else works."
	case errors.Is(err, preview.ErrForbidden):
		return "CPU and memory cannot be shown: Catalyst may not read them in this cluster. Everything else works."
	}
	return "CPU and memory are not known now: the cluster's metrics do not answer. Everything else works."
}

// look reads the quotas. One that cannot be read is as if it was not there.
func (s *Sampler) look(ctx context.Context) {
	s.mu.Lock()
	var namespaces []string
	for namespace, p := range s.past {
		if s.now().Sub(p.seen) <= Coarse {
			namespaces = append(namespaces, namespace)
		}
	}
	s.mu.Unlock()
	quotas := map[string][]cluster.QuotaLine{}
	for _, namespace := range namespaces {
		if lines, err := s.source.QuotaUse(ctx, namespace); err == nil {
			quotas[namespace] = lines
		}
	}
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotas = quotas
}

// Now is what a preview uses now. Known is false when that was not counted lately.
type Now struct {
	cluster.Amount
	Known   bool
	Warning string // a bound of the quota that is all but used up, in words; usually empty
}

// Now tells what the preview with the namespace uses.
func (s *Sampler) Now(namespace string) Now {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Now{}
	for _, line := range s.quotas[namespace] {
		if line.Part >= Warn {
			n.Warning = line.Name + " " + line.Used + " of " + line.Hard
			break
		}
	}
	p := s.past[namespace]
	if p == nil || s.now().Sub(p.seen) > Coarse || len(p.total.fine) == 0 {
		return n
	}
	n.Known, n.Amount = true, p.total.fine[len(p.total.fine)-1].Amount
	return n
}

// Past is what a preview used.
type Past struct {
	Total []Point
	Pods  []PodPast // the one that was seen last first
}

// PodPast is what one pod used.
type PodPast struct {
	Pod    string
	Seen   time.Time
	Points []Point // the oldest first
}

// Past tells what the preview with the namespace used for so long. note says why nothing new comes in; empty when it does.
func (s *Sampler) Past(namespace string, since time.Duration) (all Past, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.past[namespace]
	if p == nil {
		return all, s.note
	}
	now := s.now()
	all.Total = p.total.since(since, now)
	for name, one := range p.pods {
		if points := one.since(since, now); len(points) > 0 {
			all.Pods = append(all.Pods, PodPast{name, one.seen, points})
		}
	}
	slices.SortFunc(all.Pods, func(a, b PodPast) int {
		return cmp.Or(b.Seen.Compare(a.Seen), strings.Compare(a.Pod, b.Pod))
	})
	return all, s.note
}
