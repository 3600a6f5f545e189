package preview

import "time"

// JobKind names what a job does. There is one job of a kind for each preview (for sweep and health, one in all): asking again while it waits or runs
// raises its generation, and the worker runs it once more.
type JobKind string

// The kinds of jobs.
const (
	JobReconcile JobKind = "reconcile" // re-read the pull request, then deploy or tear down: the one writer of a preview's namespace
	JobSweep     JobKind = "sweep"     // compare all that GitHub says is open with all previews and namespaces; one for the whole instance
	JobHealth    JobKind = "health"    // look whether the running previews still have what they run on; one for the whole instance
	JobCommand   JobKind = "command"   // look at the commands that were given in comments, and answer them
	JobComment   JobKind = "comment"   // bring the comment on the pull request up to date with what is stored

	JobCheck       JobKind = "check"       // bring the check run on the head commit up to date with what is stored
	JobEnvironment JobKind = "environment" // bring the preview's environment on GitHub up to date with what is stored
)

// Job is a claimed piece of work. The holder may act while its lease lasts; Token is the fencing token that every write
// made on behalf of the job must carry.
type Job struct {
	Kind       JobKind
	PreviewID  string
	Generation int64 // what the claim covers; a higher one at the end means: run again
	Attempt    int   // 1 for the first try since the last success
	Token      int64 // grows by one with every claim of this job
	Holder     string
	LeaseUntil time.Time
}

// Fence proves the right to write: the database refuses a write whose token is no longer the job's newest or whose
// lease has run out (ErrStale).
type Fence struct {
	Kind      JobKind
	PreviewID string
	Token     int64
}

// Fence returns the proof that goes with the job.
func (j Job) Fence() Fence { return Fence{Kind: j.Kind, PreviewID: j.PreviewID, Token: j.Token} }

// JobRequest asks for a job. Delay postpones an idle job (a due one is never postponed by it); zero means at once.
type JobRequest struct {
	Kind  JobKind
	Delay time.Duration
}

// Retry is how a job is given back to be run again.
type Retry struct {
	Attempt int           // what counts as its tries so far; 0 starts the count again
	Delay   time.Duration // until it is due again
	Covered int64         // what was asked for after this generation does not wait for Delay
	Reason  string        // for people
}
