//go:build simulate

package simulate

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestSameAsStore holds memory to the real store: the same calls, one after the other, get the same answers. Leases and
// delays are an hour or nothing, so that the time that passes between two calls does not matter.
func TestSameAsStore(t *testing.T) {
	t.Parallel()
	set(t, "rapid.checks", "60") // TestSimulate is through when parallel tests go on
	set(t, "rapid.nofailfile", "true")
	rapid.Check(t, func(rt *rapid.T) {
		b := &both{rt: rt, real: storetest.SQLite(t), fake: newMemory(), ids: map[string]string{}}
		for range rapid.IntRange(5, 40).Draw(rt, "calls") {
			b.step()
		}
	})
}

// both are the two stores, and what is claimed in both.
type both struct {
	rt   *rapid.T
	real *store.Store
	fake *memory
	ids  map[string]string // the fake's, by the real one's
	held []preview.Job     // as the real one gave them
}

var hour = rapid.SampledFrom([]time.Duration{0, time.Hour})

func (b *both) now() time.Time { return time.Now().Truncate(time.Millisecond) }

func (b *both) step() {
	rt := b.rt
	kind := rapid.SampledFrom([]preview.JobKind{preview.JobReconcile, preview.JobComment}).Draw(rt, "kind")
	switch rapid.SampledFrom([]string{"event", "event", "event", "claim", "claim", "renew", "end", "end", "request", "look"}).Draw(rt, "call") {
	case "event":
		b.event()
	case "claim":
		if job := b.claim(kind, hour.Draw(rt, "lease")); job != nil {
			b.held = append(b.held, *job)
		}
	case "renew":
		if job := b.one(); job != nil {
			ttl := hour.Draw(rt, "lease")
			got, err := b.real.Renew(rt.Context(), job.Fence(), ttl)
			want, wantErr := b.fake.renew(b.now(), b.fence(*job), ttl)
			b.same("renew", want, got, wantErr, err)
		}
	case "end":
		if job := b.one(); job != nil {
			delay := hour.Draw(rt, "delay")
			b.end(*job, rapid.Int64Range(job.Generation-1, job.Generation).Draw(rt, "covered"), rapid.SampledFrom([]*time.Duration{nil, &delay}).Draw(rt, "retry"))
		}
	case "look":
		got, err := b.real.Generations(rt.Context(), "one")
		mapped := map[preview.Fence]int64{}
		for f, generation := range got {
			mapped[preview.Fence{Kind: f.Kind, PreviewID: b.ids[f.PreviewID], Token: f.Token}] = generation
		}
		b.same("generations", b.fake.generations("one"), mapped, nil, err)
		time.Sleep(2 * time.Millisecond) // as for a claim
		due, err := b.real.Due(rt.Context())
		for kind := range due {
			due[kind] = due[kind].Round(time.Minute)
		}
		want := b.fake.openKinds(b.now())
		for kind := range want {
			want[kind] = want[kind].Round(time.Minute)
		}
		b.same("due", want, due, nil, err)
	case "request":
		k := b.key()
		p, err := b.real.PreviewOf(rt.Context(), k)
		if err != nil {
			return
		}
		r := preview.JobRequest{Kind: kind, Delay: hour.Draw(rt, "delay")}
		if err := b.real.Request(rt.Context(), p.ID, r); err != nil {
			rt.Fatal(err)
		}
		b.fake.request(b.now(), b.ids[p.ID], []preview.JobRequest{r})
	}
	b.state()
}

func (b *both) key() preview.Key {
	return preview.Key{RepositoryID: 1, Number: rapid.IntRange(1, 2).Draw(b.rt, "pull")}
}

func (b *both) one() *preview.Job {
	if len(b.held) == 0 {
		return nil
	}
	return &b.held[rapid.IntRange(0, len(b.held)-1).Draw(b.rt, "held")]
}

func (b *both) fence(j preview.Job) preview.Fence {
	return preview.Fence{Kind: j.Kind, PreviewID: b.ids[j.PreviewID], Token: j.Token}
}

func (b *both) claim(kind preview.JobKind, ttl time.Duration) *preview.Job {
	time.Sleep(2 * time.Millisecond) // what is due now is due in both, whose clocks are a moment apart
	got, err := b.real.Claim(b.rt.Context(), kind, "one", ttl)
	want, wantErr := b.fake.claim(b.now(), kind, "one", ttl)
	want.LeaseUntil, got.LeaseUntil = time.Time{}, time.Time{}
	mapped := got
	mapped.PreviewID = b.ids[got.PreviewID]
	b.same("claim", want, mapped, wantErr, err)
	if err != nil {
		return nil
	}
	return &got
}

func (b *both) end(j preview.Job, covered int64, retry *time.Duration) {
	if retry == nil {
		b.same("finish", 0, 0, b.fake.finish(b.now(), b.fence(j), covered), b.real.Finish(b.rt.Context(), j.Fence(), covered))
		return
	}
	r := preview.Retry{Attempt: 1, Delay: *retry, Covered: covered, Reason: "because"}
	b.same("retry", 0, 0, b.fake.retry(b.now(), b.fence(j), r), b.real.Retry(b.rt.Context(), j.Fence(), r))
}

// event hands the same event to both.
func (b *both) event() {
	rt, k := b.rt, b.key()
	pr := preview.PullRequest{Key: k, Repository: rapid.SampledFrom([]string{"acme/web", "acme/web", "acme/other"}).Draw(rt, "repository"), HeadSHA: fmt.Sprintf("%040d", rapid.IntRange(1, 3).Draw(rt, "sha")), Open: rapid.Bool().Draw(rt, "open")}
	e := preview.Event{Key: k, PullRequest: pr, SHA: pr.HeadSHA}
	e.Kind = rapid.SampledFrom([]preview.EventKind{
		preview.EventHint, preview.EventHint, preview.EventObserved, preview.EventStarted, preview.EventStarted, preview.EventStarted, preview.EventNamespace, preview.EventSucceeded,
		preview.EventFailed, preview.EventSuperseded, preview.EventDeleted, preview.EventCommented, preview.EventRedeploy,
	}).Draw(rt, "event")
	if e.Kind == preview.EventHint {
		id := fmt.Sprintf("%s-%d", k, rapid.IntRange(0, 9).Draw(rt, "body"))
		e.Delivery = &preview.Delivery{GUID: id, Event: "pull_request", BodySHA256: id, Body: []byte("{}")}
	}
	if p, err := b.real.PreviewOf(rt.Context(), k); err == nil {
		e.Generation = p.Generation - rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(rt, "behind")
	}
	ofFake := e
	if job := b.one(); job != nil && rapid.Bool().Draw(rt, "fenced") {
		f, g := job.Fence(), b.fence(*job)
		e.Fence, ofFake.Fence = &f, &g
	}
	rules := policy.Rules{GitHubHost: "github.com", Repositories: []string{"acme/web"}, Limits: policy.Limits{Deployments: 1}}
	got, gotDecision, err := b.real.Apply(rt.Context(), e, func(s preview.State) (preview.Decision, error) { return policy.Decide(s, e, rules) })
	want, wantDecision, _, wantErr := b.fake.apply(b.now(), ofFake, func(s preview.State) (preview.Decision, error) { return policy.Decide(s, ofFake, rules) })
	if err == nil && want.ID != "" {
		b.ids[got.ID] = want.ID
	}
	b.same(string(e.Kind), want, got, wantErr, err)
	if err == nil {
		b.same(string(e.Kind)+"'s outcome", wantDecision.Outcome, gotDecision.Outcome, nil, nil)
	}
}

// state compares what the two hold of this check's pull requests.
func (b *both) state() {
	for n := range 2 {
		k := preview.Key{RepositoryID: 1, Number: n + 1}
		got, err := b.real.PreviewOf(b.rt.Context(), k)
		if err != nil {
			continue
		}
		b.same("preview", *b.fake.byKey(k), got, nil, nil)
		list, err := b.real.Deployments(b.rt.Context(), got.ID, 5)
		b.same("deployments", b.fake.newest(b.ids[got.ID], 5), list, nil, err)
	}
	line, err := b.real.Line(b.rt.Context())
	b.same("line", len(b.fake.line()), len(line), nil, err)
	unfinished, err := b.real.Unfinished(b.rt.Context())
	b.same("unfinished", len(b.fake.unfinished()), len(unfinished), nil, err)
}

// same compares two answers: values but for ids and times, errors by their kind.
func (b *both) same(call string, want, got any, wantErr, gotErr error) {
	b.rt.Helper()
	for _, kind := range []error{preview.ErrStale, preview.ErrNotFound, preview.ErrInvalid, preview.ErrConflict} {
		if errors.Is(wantErr, kind) != errors.Is(gotErr, kind) {
			b.rt.Fatalf("%s: the store says %v, memory %v", call, gotErr, wantErr)
		}
	}
	if (wantErr == nil) != (gotErr == nil) {
		b.rt.Fatalf("%s: the store says %v, memory %v", call, gotErr, wantErr)
	}
	if wantErr != nil {
		return
	}
	options := cmp.Options{
		cmpopts.IgnoreFields(preview.Preview{}, "ID"), cmpopts.IgnoreFields(preview.Deployment{}, "ID", "PreviewID"),
		cmp.Comparer(func(a, b time.Time) bool { return a.IsZero() == b.IsZero() }), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, got, options); diff != "" {
		b.rt.Fatalf("%s (-memory +store):\n%s", call, diff)
	}
}
