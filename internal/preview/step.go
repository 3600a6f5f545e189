package preview

import "time"

// StepName names a part of a deployment. The names are stored, shown and sent.
type StepName string

// The steps of a deployment, in the order in which they begin. The queue is there when there was a line to wait in, and began before the
// deployment. Namespace and fetch run side by side, and guard and render do; hooks stand where the chart puts them, before or after what is applied.
const (
	StepQueue     StepName = "queue"     // until the limits left a place
	StepNamespace StepName = "namespace" // the namespace, and the Secrets copied into it
	StepFetch     StepName = "fetch"     // the chart at the commit
	StepGuard     StepName = "guard"     // what fences the namespace in
	StepRender    StepName = "render"    // templates and values
	StepHooks     StepName = "hooks"     // the chart's own jobs
	StepApply     StepName = "apply"     // the objects are handed to the API server
	StepReady     StepName = "ready"     // until all workloads answer
)

// StepOutcome is how a step ended.
type StepOutcome string

// The outcomes of a step. An empty one means that the step runs.
const (
	StepDone    StepOutcome = "done"
	StepFailed  StepOutcome = "failed"
	StepStopped StepOutcome = "stopped" // something newer was wanted, or the worker was interrupted
)

// Step is a timed part of a deployment. Its times count from the deployment's start, so clocks that differ do not matter.
type Step struct {
	Name     StepName      `json:"name"`
	Start    time.Duration `json:"start"`          // since the deployment's start; negative for the queue
	Took     time.Duration `json:"took,omitempty"` // zero while it runs
	Attempts int           `json:"attempts"`       // 1 unless the worker had to begin anew
	Outcome  StepOutcome   `json:"outcome,omitempty"`
	Note     string        `json:"note,omitempty"` // what it waits for or found, for people; names in it are foreign text
}

// Running returns the step that began last and has not ended; false when there is none.
func Running(steps []Step) (Step, bool) {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].Outcome == "" {
			return steps[i], true
		}
	}
	return Step{}, false
}
