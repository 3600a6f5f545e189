package render

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/sandbox"
)

// helloLimit is how long a child may take to start and shut itself, on a machine that is very busy.
const helloLimit = time.Minute

// errSlow says that a child did not start in time, which says nothing about whether it can be shut in.
var errSlow = errors.New("the renderer did not start in time")

// Options say how charts are rendered.
type Options struct {
	Unconfined bool         // render even where the child cannot shut itself: only where everybody who can open a pull request is trusted
	Limits     Limits       // zero: DefaultLimits
	Program    string       // one with this package in it; "" is this program itself
	Log        *slog.Logger // nil means slog.Default()
}

// Renderer renders charts, each in a child process of its own. One child is always started ahead and waits, so that a rendering does not wait for
// its start. It is safe for concurrent use; Close it when it is not needed any more.
type Renderer struct {
	unconfined bool
	limits     Limits
	program    string
	log        *slog.Logger
	isolated   atomic.Bool // children get namespaces and a user of their own

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	ahead  chan *process // holds the one started ahead
	lane   *lane

	mu       sync.Mutex // guards what follows
	closed   bool
	starting bool           // a child is being started ahead
	tasks    sync.WaitGroup // those that start a child ahead; none is added once closed
}

// New returns a Renderer and starts its first child.
func New(o Options) *Renderer {
	r := &Renderer{unconfined: o.Unconfined, limits: o.Limits, program: o.Program, log: o.Log, ahead: make(chan *process, 1), lane: newLane()}
	if r.limits == (Limits{}) {
		r.limits = DefaultLimits
	}
	if r.program == "" {
		r.program = "/proc/self/exe" // the very program that runs, even when its file has been replaced
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	r.isolated.Store(sandbox.MayIsolate())
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.prepare()
	return r
}

// Close ends the waiting child, and those that render. Calling it twice is safe.
func (r *Renderer) Close() {
	r.cancel()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.tasks.Wait()
	select {
	case p := <-r.ahead:
		p.end()
	default:
	}
}

// prepare starts a child ahead, in the background, unless one waits or is being started: a start costs as much as rendering a small chart.
func (r *Renderer) prepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.starting || len(r.ahead) > 0 {
		return
	}
	r.starting = true
	r.tasks.Go(func() {
		p, err := r.start(r.ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.starting = false
		if err == nil { // else the next rendering meets the reason itself
			r.ahead <- p
		}
	})
}

// Check returns nil when charts can be rendered, else the reason why none will be.
func (r *Renderer) Check(ctx context.Context) error {
	p, err := r.start(ctx)
	if err != nil {
		return err
	}
	p.end()
	return nil
}

// Render renders the chart. A *preview.Failure is CHART_INVALID, VALUES, RENDER or RENDER_LIMIT for what is wrong with the chart, and SANDBOX
// when this server cannot render any; another error is an outage. It returns when ctx ends, at the latest when the time of the limits is over; the child is gone then.
func (r *Renderer) Render(ctx context.Context, q Request) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	p, err := r.take(ctx)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("render: %w", context.Cause(ctx))
	}
	if errors.Is(err, errSlow) {
		return nil, fmt.Errorf("render: %w", err)
	}
	if err != nil {
		return nil, preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeSandbox,
			Cause: fmt.Sprintf("No chart is rendered on this server, because the renderer cannot be shut in: %s.", clean(err.Error(), 300)),
			Fix:   "Run Catalyst on a Linux kernel with seccomp, in a container that may use it; `render.sandbox: optional` renders without.",
			Blame: preview.BlameCluster,
		})
	}
	defer p.end()
	defer context.AfterFunc(ctx, p.kill)()
	late := time.AfterFunc(r.limits.Time, p.expire)
	defer late.Stop()
	go p.watch(r.lane)
	payload, err := p.ask(q)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("render: %w", context.Cause(ctx))
	}
	if err == nil {
		var result *Result
		if result, err = readReply(payload); err == nil {
			return result, nil
		}
		if failure, ok := errors.AsType[*preview.Failure](err); ok {
			return nil, failure
		}
	}
	p.end()
	return nil, r.verdict(p, err)
}

// take returns the child that was started ahead, or a new one, and has the next one started.
func (r *Renderer) take(ctx context.Context) (*process, error) {
	defer r.prepare()
	select {
	case p := <-r.ahead:
		if p.alive() {
			return p, nil
		}
		p.end()
	default:
	}
	return r.start(ctx)
}

// start runs a child that is shut, or may be open.
func (r *Renderer) start(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, helloLimit)
	defer cancel()
	isolated := r.isolated.Load()
	p, err := start(ctx, r.program, r.limits, !r.unconfined, isolated)
	if err != nil && isolated && ctx.Err() == nil {
		// Root of a container need not be root of the machine.
		if p, err = start(ctx, r.program, r.limits, !r.unconfined, false); err == nil && r.isolated.CompareAndSwap(true, false) {
			r.log.Info("charts are rendered without namespaces of their own, which this container may not make")
		}
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w: %w", errSlow, err)
	}
	if err != nil {
		return nil, err
	}
	if p.hello.Error != "" && !r.unconfined {
		p.end()
		return nil, errors.New(p.hello.Error)
	}
	return p, nil
}
