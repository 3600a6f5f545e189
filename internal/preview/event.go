package preview

import "time"

// EventKind names what happened.
type EventKind string

// The kinds of events. Every change of state is one of them, handed to lifecycle.Handle.
const (
	EventHint        EventKind = "hint"            // a delivery says that something about the pull request changed
	EventObserved    EventKind = "observed"        // the pull request as just read from GitHub: the truth
	EventMissing     EventKind = "missing"         // GitHub says that there is no such pull request for us; believed when it says so again later
	EventLeftover    EventKind = "leftover"        // a namespace of ours is there although nothing is wanted
	EventAside       EventKind = "aside"           // a preview in line cannot go now, whatever place is free
	EventDegraded    EventKind = "degraded"        // a running preview lost what it runs on
	EventHealed      EventKind = "healed"          // a degraded preview has it back
	EventRedeploy    EventKind = "redeploy"        // a person asks for the same commit again
	EventCommand     EventKind = "command"         // a comment is a command: stored, and looked at by a job
	EventExecute     EventKind = "execute"         // a command was looked at: who gave it may, or may not
	EventTold        EventKind = "told"            // a reaction tells what became of a command
	EventStarted     EventKind = "started"         // a deployment begins
	EventProceed     EventKind = "proceed"         // a deployment that needs an approval is about to take its next step
	EventNamespace   EventKind = "namespace"       // the namespace was created or found to be ours, or is about to be cleared away again (no UID)
	EventNameTaken   EventKind = "name_taken"      // a namespace of the preview's name is somebody else's
	EventSteps       EventKind = "steps"           // the deployment's steps so far
	EventSucceeded   EventKind = "succeeded"       // the deployment is ready
	EventFailed      EventKind = "failed"          // the deployment failed for good
	EventSuperseded  EventKind = "superseded"      // the deployment was stopped because something newer is wanted
	EventDeleteStuck EventKind = "delete_stuck"    // the namespace does not go away; the job keeps trying
	EventDeleted     EventKind = "deleted"         // nothing is left in the cluster
	EventCommenting  EventKind = "commenting"      // the comment is about to be written: from now on one may exist, and what it says is not known
	EventCommented   EventKind = "commented"       // the comment shows what is stored
	EventCommentGone EventKind = "comment_refused" // GitHub refuses the comment for good (locked, no permission)
	EventChecked     EventKind = "checked"         // a check run was written, or is about to be created
	EventNotified    EventKind = "notified"        // a receiver was told
	EventAlarm       EventKind = "alarm"           // the operators are to be told something that concerns no preview alone
	EventListed      EventKind = "listed"          // something of the environment on GitHub was written, or is about to be created
)

// Event is something that happened to a preview. Which of the fields count depends on Kind.
type Event struct {
	Kind        EventKind
	Key         Key
	Delivery    *Delivery   // hint: stored in the same transaction
	Fence       *Fence      // of the job on whose behalf a worker speaks; nil from a surface
	PullRequest PullRequest // hint, observed
	Closed      bool        // hint: the delivery says the pull request is closed
	Unused      string      // hint: why nobody needs this delivery, for people; then there is no pull request in it
	Replayed    bool        // hint, command: a person has the delivery looked at once more, although it was received before

	Generation   int64 // started … deleted: of the preview, as the worker read it
	SHA          string
	Host         string // started
	Withdrawn    string // proceed: the id of an approval that does not hold any more
	NamespaceUID string // namespace
	URL          string // succeeded
	Diagnosis    *Diagnosis
	Steps        []Step // steps, succeeded, failed, superseded

	Command *Command // command, execute, told
	Refusal string   // execute: why the command is refused whatever it asks for, in Markdown without foreign text

	CommentID   int64 // commented
	CommentHash string
	Check       *Check       // checked
	Environment *Environment // listed
	Notified    string       // notified: the id
	Alarm       string       // alarm: one line for people
}

// State is what is known of a preview when an event is decided on.
type State struct {
	Preview    *Preview    // nil when there is none yet
	Deployment *Deployment // the newest one; nil when there is none
	Duplicate  bool        // the delivery's body was received before
	Line       []Place     // the previews that hold a deployment slot or a namespace, or wait for one; only for EventStarted
	Approvals  []Approval  // of the pull request, the newest first; only for EventStarted, EventProceed and EventExecute
	Bindings   []Binding   // of the repository's name, and of its id; not for events that nobody is let in by
	Command    *Command    // the one of the event, as it is stored; nil when it is new
	Now        time.Time   // the database's time
}

// Decision is what an event changes. It is applied in one transaction, or not at all.
type Decision struct {
	Preview       *Preview     // the new state; nil leaves the preview as it is
	Names         []string     // for a preview that is new, or whose name is taken: the names it may take, best first
	Deployments   []Deployment // new or changed ones; an empty ID creates one
	Jobs          []JobRequest
	Approvals     []Approval      // new or changed ones; an empty ID creates one
	Command       *Command        // new or changed
	Notifications []Notification  // new ones
	Delivered     []string        // ids of notifications that need not be delivered any more
	Advance       bool            // a place may have become free: whoever is next in line is to be asked again
	Outcome       DeliveryOutcome // of the delivery, if there is one
	Reason        string          // why the delivery is ignored, for people
}

// Place is one preview's place among those that hold a deployment slot or a namespace, or wait for one.
type Place struct {
	PreviewID string
	Key
	Repository string
	Status     Status
	Live       bool      // it holds a namespace
	QueuedAt   time.Time // zero unless it waits
}

// Waiting is why a preview in line is not deployed yet.
type Waiting struct {
	Position int    // 1 is next
	Of       int    // how many wait
	Reason   string // what it waits for, for people: "a free deployment slot (8 of 8 in use)"
}
