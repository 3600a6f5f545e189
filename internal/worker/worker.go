// Package worker runs the jobs: it claims one under a lease, acts from stored state, and reports what happened as events.
//
// Each job may run twice, be killed at any line or come late. Effects happen only here; state is written only through
// lifecycle. One file a job kind.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// Queue is where jobs come from.
type Queue interface {
	Claim(ctx context.Context, kind preview.JobKind, holder string, ttl time.Duration) (preview.Job, error)
	Renew(ctx context.Context, f preview.Fence, ttl time.Duration) (generation int64, err error)
	Finish(ctx context.Context, f preview.Fence, generation int64) error
	Retry(ctx context.Context, f preview.Fence, r preview.Retry) error
	Due(ctx context.Context) (map[preview.JobKind]time.Duration, error)
	Generations(ctx context.Context, holder string) (map[preview.Fence]int64, error)
	Wake() <-chan struct{}
	Request(ctx context.Context, previewID string, jobs ...preview.JobRequest) error
}

// Reader reads what is stored.
type Reader interface {
	Preview(ctx context.Context, id string) (preview.Preview, error)
	Deployments(ctx context.Context, previewID string, limit int) ([]preview.Deployment, error)
	Unfinished(ctx context.Context) ([]preview.Preview, error)
	Usual(ctx context.Context, repositoryID int64) (time.Duration, error)
}

// Lifecycle takes events and knows the line.
type Lifecycle interface {
	Handle(ctx context.Context, e preview.Event) (preview.Preview, preview.Decision, error)
	Waiting(ctx context.Context, p preview.Preview) (preview.Waiting, bool, error)
}

// GitHub is read before acting and carries the comment.
type GitHub interface {
	PullRequest(ctx context.Context, r ghapp.Repo, number int) (preview.PullRequest, error)
	Branch(ctx context.Context, r ghapp.Repo, branch string) (sha string, err error)
	Tarball(ctx context.Context, r ghapp.Repo, sha string) (io.ReadCloser, error)
	Comment(ctx context.Context, r ghapp.Repo, number int, c ghapp.CommentRequest) (id int64, err error)
}

// Channels are the ways beside the comment by which GitHub tells of a preview.
type Channels interface {
	CheckRun(ctx context.Context, r ghapp.Repo, run ghapp.CheckRun) (id int64, err error)
	Deployment(ctx context.Context, r ghapp.Repo, d ghapp.Deployment) (id int64, err error)
	DeploymentStatus(ctx context.Context, r ghapp.Repo, id int64, s ghapp.DeploymentStatus) error
	RetireDeployment(ctx context.Context, r ghapp.Repo, id int64) error
	ClearEnvironment(ctx context.Context, r ghapp.Repo, environment string) error
}

// Deployer brings a chart into a namespace.
type Deployer interface {
	EnsureNamespace(ctx context.Context, id cluster.Identity, g cluster.Guards) (uid string, err error)
	SyncSecrets(ctx context.Context, id cluster.Identity, want []cluster.SecretCopy) error
	Deploy(ctx context.Context, r cluster.DeployRequest) (cluster.Deployed, error)
	WaitReady(ctx context.Context, id cluster.Identity, objects []cluster.ObjectRef, limit time.Duration, progress func(cluster.Progress)) error
	URL(ctx context.Context, id cluster.Identity, objects []cluster.ObjectRef, host string) (string, error)
}

// Remover removes a namespace with all that is in it.
type Remover interface {
	DeleteNamespace(ctx context.Context, id cluster.Identity) error
	WaitGone(ctx context.Context, id cluster.Identity, limit time.Duration) error
}

// Overview tells what there is, for the sweep.
type Overview interface {
	Resolve(ctx context.Context, fullName string) (ghapp.Repo, error)
	OpenPullRequests(ctx context.Context, r ghapp.Repo) ([]preview.PullRequest, error)
	RedeliverFailed(ctx context.Context, since time.Time) (int, error)
}

// Estate tells what there is in the cluster, and how it is.
type Estate interface {
	Namespaces(ctx context.Context) ([]cluster.Identity, error)
	Health(ctx context.Context, id cluster.Identity) (*preview.Diagnosis, error)
	KeepGuards(ctx context.Context, id cluster.Identity, g cluster.Guards) error
	SecretsDiffer(ctx context.Context, id cluster.Identity, want []cluster.SecretCopy) (bool, error)
}

// Settings says how a repository is deployed; the server's configuration answers.
type Settings interface {
	// Plan returns what to deploy for the preview at its head commit. The error is a *preview.Failure when the
	// configuration is at fault, and preview.ErrNotFound as well when it knows no such repository.
	Plan(ctx context.Context, p preview.Preview) (Plan, error)
	// Learn notes which repository a configured name stands for, so that it stays known when it is renamed. It is preview.ErrConflict when the
	// name stands for another one, which had it before.
	Learn(ctx context.Context, configured string, repositoryID int64) error
}

// Plan is how one preview is deployed at one commit.
type Plan struct {
	Trust   preview.Trust        // whose code it is, as the operator sees it
	Host    string               // under which it shall answer
	Chart   chart.Spec           // what to take from the repository
	Values  chart.ValuesInput    // all layers but those of the chart and the repository's file
	Guards  cluster.Guards       // what the preview is held to
	Secrets []cluster.SecretCopy // what it gets
	URL     func(string) string  // turns the URL read back from the cluster into the one people open
}

// Options are a worker's dependencies and limits.
type Options struct {
	Queue       Queue
	Reader      Reader
	Lifecycle   Lifecycle
	GitHub      GitHub
	Channels    Channels
	Checks      bool // check runs are written
	Listings    bool // deployments are listed in GitHub's environments
	Outbox      Outbox
	Notifier    Notifier
	People      People
	Records     Records
	Deployer    Deployer
	Remover     Remover
	Overview    Overview
	Estate      Estate
	Settings    Settings
	Keeper      Keeper           // nil: nothing is kept
	Collector   Collector        // for the keeper
	Holder      string           // names this process in leases
	Jobs        int              // reconcile jobs at once: deployments, removals, and looks at the line
	Repos       []string         // full names of the configured repositories, for the sweep
	SweepEvery  time.Duration    // pause between two sweeps
	HealthEvery time.Duration    // pause between two looks at the running previews
	SweepShare  float64          // the share of all previews that one sweep may find gone before it stops itself; 0 to 1
	Lease       time.Duration    // how long a dead worker's job stays taken
	Poll        time.Duration    // how long a wake-up of another process may go unnoticed
	ReadyLimit  time.Duration    // from the start of a deployment until its workloads are ready (S4)
	GoneLimit   time.Duration    // for one attempt at removing a namespace (S6)
	Hide        *redact.Redactor // what is said about a failed attempt is stored without these; nil: without what looks like a credential
	Pages       string           // address of the web pages, for links in comments; empty: no links
	PublicLogs  bool             // the comments of public repositories show lines of container logs
	Log         *slog.Logger
	Observe     func(kind preview.JobKind, outcome string, took time.Duration) // metrics
}

// comments is how many comments are written at once. GitHub wants writes one after another; a few wait on the network.
const comments = 4

// asides is how many check runs, and how many environments, are written at once.
const asides = 2

// Worker runs jobs until its context ends.
type Worker struct {
	Options

	mu      sync.Mutex
	running map[preview.Fence]*claim
	waiting map[string]int64      // see stillWaits
	refused map[refusal]time.Time // see turnedAway
	alarmed time.Time             // see alarm
}

// New returns a worker; Run starts it.
func New(o Options) *Worker {
	if o.Observe == nil {
		o.Observe = func(preview.JobKind, string, time.Duration) {}
	}
	return &Worker{Options: o, running: map[preview.Fence]*claim{}, waiting: map[string]int64{}, refused: map[refusal]time.Time{}}
}

// Run claims and runs jobs until ctx ends, then stops what runs, gives the leases back and returns. What was not finished
// is due again at once, for whoever claims it next.
func (w *Worker) Run(ctx context.Context) error {
	kinds := []preview.JobKind{preview.JobReconcile, preview.JobCommand, preview.JobComment, preview.JobCheck, preview.JobEnvironment, preview.JobNotify, preview.JobSweep, preview.JobHealth}
	slots := map[preview.JobKind]chan struct{}{
		preview.JobReconcile:   make(chan struct{}, w.Jobs),
		preview.JobCommand:     make(chan struct{}, commands),
		preview.JobComment:     make(chan struct{}, comments),
		preview.JobCheck:       make(chan struct{}, asides),
		preview.JobEnvironment: make(chan struct{}, asides),
		preview.JobNotify:      make(chan struct{}, notifications),
		preview.JobSweep:       make(chan struct{}, 1),
		preview.JobHealth:      make(chan struct{}, 1),
	}
	freed := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	singletons := false
	var complete time.Time // when every kind was tried last, whatever the queue held for due
	all := true            // whether they are in this round
	for {
		if !singletons { // until the database is there to take it
			err := w.Queue.Request(ctx, "", preview.JobRequest{Kind: preview.JobSweep}, preview.JobRequest{Kind: preview.JobHealth})
			if singletons = err == nil; err != nil && ctx.Err() == nil {
				w.Log.Error("ask for the sweep", "error", err)
			}
		}
		// Claims write, so that they are made where one can succeed; a clock that was set back is found out by trying all the same.
		due, err := w.Queue.Due(ctx)
		all = all || err != nil || time.Since(complete) >= w.Poll
		if all {
			complete = time.Now()
			w.see(ctx)
		}
		started, failed := false, err != nil
		for _, kind := range kinds {
			if wait, open := due[kind]; all || open && wait == 0 {
				one, bad := w.claim(ctx, kind, slots[kind], freed, &wg)
				started, failed = started || one, failed || bad
			}
		}
		if started {
			continue // there may be more of what was due
		}
		all = false
		wait := w.Poll
		if !failed { // a queue that cannot be written to is not asked more often
			wait = w.idle(due, slots)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-w.Queue.Wake():
			w.see(ctx)
		case <-freed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// claim starts a job of the kind when there is a free slot and one is due, and reports whether it did. failed says that the queue
// cannot be written to, which is logged.
func (w *Worker) claim(ctx context.Context, kind preview.JobKind, slots chan struct{}, freed chan<- struct{}, wg *sync.WaitGroup) (started, failed bool) {
	if ctx.Err() != nil {
		return false, false
	}
	select {
	case slots <- struct{}{}:
	default:
		return false, false
	}
	asked := time.Now()
	job, err := w.Queue.Claim(ctx, kind, w.Holder, w.Lease)
	if err != nil {
		<-slots
		if failed = !errors.Is(err, preview.ErrNotFound) && ctx.Err() == nil; failed {
			w.Log.Error("claim", "kind", kind, "error", err)
		}
		return false, failed
	}
	claim := w.hold(ctx, job, asked)
	wg.Go(func() {
		w.run(ctx, claim)
		<-slots
		select {
		case freed <- struct{}{}:
		default:
		}
	})
	return true, false
}

// idle is how long there can be nothing to claim, at most the poll interval. A kind whose slots are all taken is not waited for: the next
// one that becomes free says so.
func (w *Worker) idle(due map[preview.JobKind]time.Duration, slots map[preview.JobKind]chan struct{}) time.Duration {
	wait := w.Poll
	for kind, in := range due {
		if len(slots[kind]) < cap(slots[kind]) {
			wait = min(wait, in)
		}
	}
	return max(wait, 20*time.Millisecond) // what another process takes first must not make this one spin
}

// see tells the running jobs what was asked for meanwhile. One that the queue does not count to this worker any more renews its lease at
// once, by which it learns whether it lost it.
func (w *Worker) see(ctx context.Context) {
	w.mu.Lock()
	running := maps.Clone(w.running)
	w.mu.Unlock()
	if len(running) == 0 {
		return
	}
	newest, err := w.Queue.Generations(ctx, w.Holder)
	if err != nil {
		if ctx.Err() == nil {
			w.Log.Warn("look for what was asked for again", "error", err)
		}
		return
	}
	for fence, c := range running {
		if generation, held := newest[fence]; held {
			c.see(generation)
			continue
		}
		select {
		case c.doubt <- struct{}{}:
		default:
		}
	}
}

// run runs one claimed job to its end and says so to the queue.
func (w *Worker) run(ctx context.Context, claim *claim) {
	start, job := time.Now(), claim.Job
	log := w.Log.With("job", job.Kind, "preview_id", job.PreviewID, "attempt", job.Attempt)
	var err error
	switch job.Kind {
	case preview.JobReconcile:
		err = w.reconcile(claim.ctx, claim)
	case preview.JobCommand:
		err = w.command(claim.ctx, claim)
	case preview.JobComment:
		err = w.comment(claim.ctx, claim)
	case preview.JobCheck:
		err = w.check(claim.ctx, claim)
	case preview.JobEnvironment:
		err = w.environment(claim.ctx, claim)
	case preview.JobNotify:
		err = w.notify(claim.ctx, claim)
	case preview.JobSweep:
		err = w.sweep(claim.ctx, claim)
	case preview.JobHealth:
		err = w.health(claim.ctx, claim)
	default:
		err = fmt.Errorf("job kind %q: %w", job.Kind, preview.ErrInvalid)
	}
	covered := claim.release()

	// The claim ends even when the process is asked to stop, so that another one can take over at once.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	outcome, err := w.end(end, ctx, job, covered, err)
	if errors.Is(err, preview.ErrStale) {
		outcome = "stale" // whatever else went wrong: somebody else has the job
	}
	w.Observe(job.Kind, outcome, time.Since(start))
	if err != nil {
		log.Warn("job", "outcome", outcome, "error", err)
		return
	}
	log.Debug("job", "outcome", outcome, "took", time.Since(start))
}
