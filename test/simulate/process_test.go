//go:build simulate

package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
)

var (
	errDead     = errors.New("the process is dead")
	errDatabase = errors.New("the database does not answer")
	errCommit   = errors.New("the connection broke during the commit")
)

// process is one replica: a real worker, and its way to everything else. A call of a dead process has no effect and no
// answer; one of a paused process waits. What was on its way when the process died or paused, arrives.
type process struct {
	w      *world
	slot   int
	name   string
	ctx    context.Context //nolint:containedctx // the life of the process
	cancel context.CancelFunc
	wake   chan struct{}
	ended  chan struct{}
	rules  policy.Rules

	// Guarded by the world's mutex.
	dead, over bool
	until      time.Time // paused
	noDatabase time.Time // until when it does not reach the database
	noCluster  time.Time
	skew       time.Duration
}

// spawn starts a process in the slot.
func (w *world) spawn(slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incarnated++
	p := &process{
		w: w, slot: slot, name: fmt.Sprintf("%c%d", 'A'+slot, w.incarnated), wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	p.rules = policy.Rules{GitHubHost: "github.com", Repositories: configured, Limits: w.Limits}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.processes[slot] = p
	w.all = append(w.all, p)
	one := worker.New(worker.Options{
		Queue: p, Reader: p, Lifecycle: p, GitHub: p, Deployer: p, Remover: p, Overview: p, Estate: p, Settings: p,
		Holder: p.name, Jobs: 4, Repos: configured, SweepEvery: sweepEvery, HealthEvery: healthEvery, SweepShare: 0.5,
		Lease: lease, Poll: poll, ReadyLimit: readyLimit, GoneLimit: goneLimit, Log: slog.New(slog.DiscardHandler),
	})
	go func() {
		defer close(p.ended)
		if err := one.Run(p.ctx); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.violate("run", "worker %s ended: %v", p.name, err)
		}
	}()
}

// gate waits while the process is paused, and is an error once it is dead.
func (p *process) gate() error {
	for {
		p.w.mu.Lock()
		dead, wait := p.dead, time.Until(p.until)
		if wait > 0 {
			p.w.hit(opPause)
		}
		p.w.mu.Unlock()
		switch {
		case dead:
			return errDead
		case wait <= 0:
			return nil
		}
		time.Sleep(wait)
	}
}

// died reports whether the process is no more.
func (p *process) died() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

// sleep passes time on the way, and reports whether ctx lasted.
func (p *process) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// tx runs one transaction of the database.
func (p *process) tx(ctx context.Context, pull int, do func(now time.Time) (due bool, err error)) error {
	if err := p.gate(); err != nil {
		return err
	}
	time.Sleep(p.w.latency(p.slot, toStore, pull))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lost, err := p.commit(do)
	time.Sleep(p.w.latency(p.slot, toStore, pull))
	if err := p.gate(); err != nil {
		return err
	}
	if lost {
		return errCommit
	}
	return err
}

func (p *process) commit(do func(now time.Time) (due bool, err error)) (lost bool, err error) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := p.database(); err != nil {
		return false, err
	}
	due, err := do(w.now())
	if err != nil {
		return false, err
	}
	w.checkQueue()
	if due {
		w.announce(p)
	}
	if w.trouble.lostCommits > 0 {
		w.trouble.lostCommits--
		w.hit(opLostCommit)
		w.note("%s: the reply of its commit is lost", p.name)
		return true, nil
	}
	return false, nil
}

// database is the error with which the process finds the database now, if any. Call it with mu held.
func (p *process) database() error {
	switch now := time.Now(); {
	case p.w.trouble.database.After(now):
		p.w.hit(opDatabase)
	case p.noDatabase.After(now):
		p.w.hit(opNoDatabase)
	default:
		return nil
	}
	return errDatabase
}

// announce wakes the workers. A word to another process may be lost: then its polling finds the job.
func (w *world) announce(from *process) {
	for _, p := range w.processes {
		if p != from && w.roll(p.slot, ofNature, 9)%16 == 0 {
			w.hit("wake-up lost")
			continue
		}
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// Claim implements worker.Queue. When nothing is due it answers at once, as most claims do.
func (p *process) Claim(ctx context.Context, kind preview.JobKind, holder string, ttl time.Duration) (j preview.Job, err error) {
	p.w.mu.Lock()
	due := p.w.db.due(p.w.now(), kind)
	p.w.mu.Unlock()
	if due == nil {
		return j, preview.ErrNotFound
	}
	err = p.tx(ctx, 10, func(now time.Time) (bool, error) {
		if j, err = p.w.db.claim(now, kind, holder, ttl); err == nil {
			p.w.note("%s claims %s of %s, token %d, attempt %d", p.name, kind, j.PreviewID, j.Token, j.Attempt)
			p.w.claimed(j, now)
		}
		return false, err
	})
	return j, err
}

// Renew implements worker.Queue.
func (p *process) Renew(ctx context.Context, f preview.Fence, ttl time.Duration) (generation int64, err error) {
	err = p.tx(ctx, 11, func(now time.Time) (bool, error) {
		generation, err = p.w.db.renew(now, f, ttl)
		return false, err
	})
	return generation, err
}

// Finish implements worker.Queue.
func (p *process) Finish(ctx context.Context, f preview.Fence, generation int64) error {
	return p.tx(ctx, 12, func(now time.Time) (bool, error) {
		if j := p.w.db.held(f, now); j != nil {
			p.w.checkFinish(p, j, generation)
		}
		err := p.w.db.finish(now, f, generation)
		p.w.note("%s finishes %s of %s up to %d: %v", p.name, f.Kind, f.PreviewID, generation, err)
		return true, err
	})
}

// Retry implements worker.Queue.
func (p *process) Retry(ctx context.Context, f preview.Fence, r preview.Retry) error {
	return p.tx(ctx, 13, func(now time.Time) (bool, error) {
		j := p.w.db.held(f, now)
		err := p.w.db.retry(now, f, r)
		p.w.note("%s gives %s of %s back for %s, attempt %d: %s: %v", p.name, f.Kind, f.PreviewID, r.Delay, r.Attempt, r.Reason, err)
		if j != nil {
			p.w.checkRetry(p, j, now)
		}
		return true, err
	})
}

// Due implements worker.Queue.
func (p *process) Due(context.Context) (due map[preview.JobKind]time.Duration, err error) {
	err = p.read(func() { due = p.w.db.openKinds(p.w.now()) })
	return due, err
}

// Generations implements worker.Queue.
func (p *process) Generations(_ context.Context, holder string) (newest map[preview.Fence]int64, err error) {
	err = p.read(func() { newest = p.w.db.generations(holder) })
	return newest, err
}

// read has look see the database, when that answers.
func (p *process) read(look func()) error {
	if err := p.gate(); err != nil {
		return err
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if err := p.database(); err != nil {
		return err
	}
	look()
	return nil
}

// Wake implements worker.Queue.
func (p *process) Wake() <-chan struct{} { return p.wake }

// Request implements worker.Queue.
func (p *process) Request(ctx context.Context, previewID string, jobs ...preview.JobRequest) error {
	return p.tx(ctx, 14, func(now time.Time) (bool, error) {
		p.w.db.request(now, previewID, jobs)
		return len(jobs) > 0, nil
	})
}

// Preview implements worker.Reader.
func (p *process) Preview(ctx context.Context, id string) (found preview.Preview, err error) {
	err = p.tx(ctx, 15, func(time.Time) (bool, error) {
		known := p.w.db.byID(id)
		if known == nil {
			return false, fmt.Errorf("read preview %s: %w", id, preview.ErrNotFound)
		}
		found = *known
		return false, nil
	})
	return found, err
}

// Deployments implements worker.Reader.
func (p *process) Deployments(ctx context.Context, previewID string, limit int) (found []preview.Deployment, err error) {
	err = p.tx(ctx, 16, func(time.Time) (bool, error) {
		found = p.w.db.newest(previewID, limit)
		return false, nil
	})
	return found, err
}

// Usual implements worker.Reader. Nothing rests on it but a line in the comment of a deployment in progress.
func (p *process) Usual(context.Context, int64) (time.Duration, error) { return 0, nil }

// Unfinished implements worker.Reader.
func (p *process) Unfinished(ctx context.Context) (found []preview.Preview, err error) {
	err = p.tx(ctx, 17, func(time.Time) (bool, error) {
		found = p.w.db.unfinished()
		return false, nil
	})
	return found, err
}

// Handle implements worker.Lifecycle as internal/lifecycle does over the real store.
func (p *process) Handle(ctx context.Context, e preview.Event) (after preview.Preview, d preview.Decision, err error) {
	err = p.tx(ctx, 20+number(e.Key), func(now time.Time) (due bool, err error) {
		var before *preview.Preview
		if known := p.w.db.byKey(e.Key); known != nil {
			was := *known
			before = &was
		}
		after, d, due, err = p.w.db.apply(now, e, func(s preview.State) (preview.Decision, error) { return policy.Decide(s, e, p.rules) })
		if err == nil {
			p.w.changed(p, e, before, after)
		}
		p.w.note("%s tells %s of %s (generation %d): %s %d/%d, %v", p.name, e.Kind, e.Key, e.Generation, after.Status, after.Settled, after.Generation, err)
		return due, err
	})
	if err != nil {
		return after, d, fmt.Errorf("apply %s to %s: %w", e.Kind, e.Key, err)
	}
	if d.Advance && p.w.Limits != (policy.Limits{}) {
		p.advance(ctx)
	}
	return after, d, nil
}

// advance is lifecycle's.
func (p *process) advance(ctx context.Context) {
	places, err := p.line(ctx)
	if err != nil {
		return
	}
	for _, place := range policy.Line(places) {
		job := preview.JobRequest{Kind: preview.JobReconcile}
		if _, waits := policy.Wait(places, p.w.Limits, place, place.QueuedAt); waits {
			job = preview.JobRequest{Kind: preview.JobComment, Delay: 10 * time.Second}
		}
		_ = p.Request(ctx, place.PreviewID, job) // the waiting jobs ask by themselves later
	}
}

func (p *process) line(ctx context.Context) (places []preview.Place, err error) {
	err = p.tx(ctx, 18, func(time.Time) (bool, error) {
		places = p.w.db.line()
		return false, nil
	})
	return places, err
}

// Waiting implements worker.Lifecycle.
func (p *process) Waiting(ctx context.Context, of preview.Preview) (preview.Waiting, bool, error) {
	if of.Status != preview.StatusQueued {
		return preview.Waiting{}, false, nil
	}
	places, err := p.line(ctx)
	if err != nil {
		return preview.Waiting{}, false, err
	}
	waiting, waits := p.w.waiting(of, places)
	return waiting, waits, nil
}

func (w *world) waiting(of preview.Preview, places []preview.Place) (preview.Waiting, bool) {
	self := preview.Place{PreviewID: of.ID, Key: of.Key, Repository: of.Repository, QueuedAt: of.QueuedAt}
	return policy.Wait(places, w.Limits, self, of.QueuedAt)
}

// Plan implements worker.Settings as internal/app does: a name stands for the repository that it led to first.
func (p *process) Plan(_ context.Context, of preview.Preview) (worker.Plan, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if name, _ := policy.Configured(configured, p.w.db.bindingsOf(of.Repository, of.RepositoryID), of.PullRequest); name == "" {
		return worker.Plan{}, preview.Fail(preview.ErrNotFound, preview.Diagnosis{Code: preview.CodeConfig, Cause: "the repository is not configured", Blame: preview.BlameConfig})
	}
	return worker.Plan{
		Trust: of.Trust(), Host: of.Namespace + ".preview.test", Chart: chart.Spec{ChartPath: "chart"}, URL: func(u string) string { return u },
	}, nil
}

// Learn implements worker.Settings.
func (p *process) Learn(_ context.Context, name string, id int64) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if bound := p.w.db.bind(name, id); bound != id {
		return fmt.Errorf("%s stands for repository %d: %w", name, bound, preview.ErrConflict)
	}
	return nil
}
