package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// tellEvery is how often the steps of a running deployment are stored, if they changed. Its end stores them all the same.
const tellEvery = 2 * time.Second

// timeline keeps the steps of one deployment while it runs. Safe for concurrent use.
type timeline struct {
	start time.Time // of the deployment, on this process's clock

	mu      sync.Mutex
	steps   []preview.Step
	begun   map[preview.StepName]bool // by this attempt
	changed chan struct{}
}

// newTimeline returns one that begins now.
func newTimeline() *timeline {
	return &timeline{start: time.Now(), begun: map[preview.StepName]bool{}, changed: make(chan struct{}, 1)}
}

// resume goes on with the steps that an earlier worker stored of the same deployment, which began that long ago.
func (t *timeline) resume(earlier []preview.Step, ago time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start, t.steps = time.Now().Add(-max(ago, 0)), nil
	for _, s := range earlier {
		if s.Outcome == "" {
			s.Outcome = preview.StepStopped
		}
		t.steps = append(t.steps, s)
	}
}

// begin starts a step and returns the function that ends it. One that an earlier attempt began is begun anew; one that this attempt
// has ended (the next hook of several) goes on.
func (t *timeline) begin(name preview.StepName) (end func(error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	step := preview.Step{Name: name, Start: time.Since(t.start), Attempts: 1}
	if i := t.index(name); i >= 0 && t.begun[name] {
		t.steps[i].Outcome, t.steps[i].Took = "", 0
	} else {
		if i >= 0 {
			step.Attempts += t.steps[i].Attempts
			t.steps = slices.Delete(t.steps, i, i+1)
		}
		t.steps = append(t.steps, step)
	}
	t.begun[name] = true
	t.poke()
	return func(err error) { t.end(name, err) }
}

func (t *timeline) end(name preview.StepName, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(name)
	if i < 0 || t.steps[i].Outcome != "" {
		return
	}
	step := &t.steps[i]
	step.Took = max(time.Since(t.start)-step.Start, time.Millisecond)
	switch {
	case err == nil:
		step.Outcome, step.Note = preview.StepDone, ""
	case errors.Is(err, context.Canceled), errors.Is(err, preview.ErrStale):
		step.Outcome = preview.StepStopped
	default:
		step.Outcome = preview.StepFailed
	}
	t.poke()
}

// note says what a running step waits for.
func (t *timeline) note(name preview.StepName, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.index(name); i >= 0 && t.steps[i].Outcome == "" && t.steps[i].Note != text {
		t.steps[i].Note = text
		t.poke()
	}
}

func (t *timeline) index(name preview.StepName) int {
	return slices.IndexFunc(t.steps, func(s preview.Step) bool { return s.Name == name })
}

func (t *timeline) poke() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// list returns a copy of the steps so far.
func (t *timeline) list() []preview.Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.steps)
}

// closed ends what still runs, as stopped or failed by err, and returns all steps.
func (t *timeline) closed(err error) []preview.Step {
	for _, s := range t.list() {
		if s.Outcome == "" {
			t.end(s.Name, err)
		}
	}
	return t.list()
}

// follow goes on with the timeline of a deployment, from what was decided when it began (d) or from what an earlier worker stored of it, and
// stores the steps while they change until stop is called.
func (w *Worker) follow(ctx context.Context, c *claim, p preview.Preview, d preview.Decision, t *timeline) (stop func(), err error) {
	if n := len(d.Deployments); n > 0 {
		t.resume(d.Deployments[n-1].Steps, time.Since(t.start))
	} else { // taken up again
		newest, err := w.Reader.Deployments(ctx, p.ID, 1)
		if err != nil {
			return nil, err
		}
		if len(newest) > 0 {
			t.resume(newest[0].Steps, time.Since(newest[0].StartedAt))
		}
	}
	telling, cancel := context.WithCancel(ctx)
	var teller sync.WaitGroup
	teller.Go(func() { w.tellSteps(telling, c, p, t) })
	return func() { cancel(); teller.Wait() }, nil
}

// tellSteps stores the steps from time to time until ctx ends, so that people see how far the deployment is.
func (w *Worker) tellSteps(ctx context.Context, c *claim, p preview.Preview, t *timeline) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.changed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tellEvery):
		}
		_, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventSteps, Steps: t.list()})
		if err != nil && ctx.Err() == nil && !errors.Is(err, preview.ErrStale) {
			w.Log.Warn("store the steps of a deployment", "preview", p.Ref(), "error", err)
		}
	}
}
