package store_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var sha = strings.Repeat("a1", 20)

// create stores a preview of acme/web#number, as the first delivery about it does.
func create(t *testing.T, s *store.Store, repositoryID int64, number int, jobs ...preview.JobRequest) preview.Preview {
	t.Helper()
	pr := preview.PullRequest{
		Key: preview.Key{RepositoryID: repositoryID, Number: number}, Repository: "acme/web", InstallationID: 3, Private: true,
		Title: "Add gift cards", Author: "octocat", Branch: "gift", BaseBranch: "main", HeadSHA: sha, HeadRepositoryID: repositoryID, Open: true, Comments: -1,
	}
	e := preview.Event{Kind: preview.EventHint, Key: pr.Key, PullRequest: pr}
	p, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
		return preview.Decision{
			Preview: &preview.Preview{PullRequest: pr, Status: preview.StatusPending, Generation: 1, ChangedAt: st.Now},
			Names:   preview.Names("github.com", "acme/web", pr.Key), Jobs: jobs,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func change(t *testing.T, s *store.Store, k preview.Key, f *preview.Fence, fn func(*preview.Preview)) (preview.Preview, error) {
	t.Helper()
	p, _, err := s.Apply(t.Context(), preview.Event{Kind: preview.EventNamespace, Key: k, Fence: f}, func(st preview.State) (preview.Decision, error) {
		p := *st.Preview
		fn(&p)
		return preview.Decision{Preview: &p}, nil
	})
	return p, err
}

// claimWhenDue claims the next job of the kind, waiting until one is due.
func claimWhenDue(t *testing.T, s *store.Store, kind preview.JobKind) preview.Job {
	t.Helper()
	j, err := waitAndClaim(t.Context(), s, kind)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func waitAndClaim(ctx context.Context, s *store.Store, kind preview.JobKind) (preview.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		j, err := s.Claim(ctx, kind, "next", time.Minute)
		if !errors.Is(err, preview.ErrNotFound) {
			return j, err
		}
		due, err := s.Due(ctx)
		if err != nil {
			return j, err
		}
		wait, open := due[kind]
		if !open {
			return j, preview.ErrNotFound
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(min(wait, 20*time.Millisecond) + time.Millisecond):
		}
	}
}

// delivery is the first event about acme/web#7 of the repository.
func delivery(repositoryID int64, body string) preview.Event {
	pr := preview.PullRequest{Key: preview.Key{RepositoryID: repositoryID, Number: 7}, Repository: "acme/web", HeadSHA: sha, Open: true}
	return preview.Event{Kind: preview.EventHint, Key: pr.Key, PullRequest: pr, Delivery: &preview.Delivery{
		GUID: body, Event: "pull_request", BodySHA256: body, Body: []byte(body),
	}}
}

// decide takes a delivery as the product does: a duplicate changes nothing, the first one creates the preview, and all ask for the job.
func decide(e preview.Event, st preview.State) preview.Decision {
	if st.Duplicate {
		return preview.Decision{Outcome: preview.DeliveryDuplicate}
	}
	d := preview.Decision{Outcome: preview.DeliveryAccepted, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}
	if st.Preview == nil {
		d.Preview = &preview.Preview{PullRequest: e.PullRequest, Status: preview.StatusPending, Generation: 1, ChangedAt: st.Now}
		d.Names = preview.Names("github.com", "acme/web", e.Key)
	}
	return d
}

// crowd brings the transactions of a race to the same place at the same time, as far as the database lets them.
type crowd struct {
	in   atomic.Int64
	full chan struct{}
}

// crowded is how many transactions one store can have under way.
const crowded = 8

func newCrowd() *crowd { return &crowd{full: make(chan struct{})} }

// meet returns once the crowd is complete, or soon, when the others are kept out.
func (c *crowd) meet() {
	if c.in.Add(1) == crowded {
		close(c.full)
	}
	select {
	case <-c.full:
	case <-time.After(50 * time.Millisecond):
	}
}

// deliver hands the delivery in; who finds it new meets the others before he decides.
func deliver(ctx context.Context, s *store.Store, repositoryID int64, body string, others *crowd) (preview.Decision, error) {
	e := delivery(repositoryID, body)
	_, d, err := s.Apply(ctx, e, func(st preview.State) (preview.Decision, error) {
		if others != nil && !st.Duplicate {
			others.meet()
		}
		return decide(e, st), nil
	})
	return d, err
}

// ask makes the preview's jobs due, outside of any delivery.
func ask(t *testing.T, s *store.Store, k preview.Key, kinds ...preview.JobKind) {
	t.Helper()
	var d preview.Decision
	for _, kind := range kinds {
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: kind})
	}
	_, _, err := s.Apply(t.Context(), preview.Event{Key: k}, func(preview.State) (preview.Decision, error) { return d, nil })
	if err != nil {
		t.Fatal(err)
	}
}

// within waits for the signal.
func within[T any](t *testing.T, limit time.Duration, what string, signal <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-signal:
	case <-time.After(limit):
		t.Fatalf("%s: not after %s", what, limit)
	}
	return v
}
