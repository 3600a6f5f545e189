package preview

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Key is the identity of a preview: the numeric id of the repository on GitHub and the number of the pull request.
// Names may change and may collide; a Key does neither.
type Key struct {
	RepositoryID int64 `json:"repository_id"`
	Number       int   `json:"number"`
}

// String gives the key for logs, as "repository 1296269 #7".
func (k Key) String() string { return fmt.Sprintf("repository %d #%d", k.RepositoryID, k.Number) }

// PullRequest is a pull request as GitHub reports it at one moment. A webhook's copy is a hint; a copy read from the API is the truth.
type PullRequest struct {
	Key
	Repository       string // full name, "owner/name", of the base repository
	InstallationID   int64  // 0 when Catalyst works with a token instead of an App
	Private          bool   // the base repository is not public
	Title            string
	Author           string // login of who opened it
	Bot              bool   // it was opened by an App or another robot
	Branch           string // head ref
	BaseBranch       string
	HeadSHA          string // 40 hex characters
	HeadRepositoryID int64  // 0 when the head repository is gone
	HeadRepository   string // its full name, for people; empty when it is gone
	Open             bool
	Merged           bool
	Draft            bool
	Comments         int // issue comments at the time of reading; -1 when not known
}

// Preview is the running copy of an application for one pull request: one row for ever, through pushes, close and reopen.
type Preview struct {
	ID          string // UUIDv7
	PullRequest        // as last learnt

	Namespace    string // reserved for this preview for ever; see Names
	NamespaceUID string // of the namespace that was created; empty when there is none
	Host         string // under which the preview answers
	URL          string // read back from the cluster; empty until the first deployment succeeded

	Status     Status
	Generation int64  // raised whenever what is wanted changes (commit, close, reopen, redeploy)
	Settled    int64  // the generation that was brought to its end, good or bad; work is due while it is below Generation
	LiveSHA    string // commit whose objects answered last; empty when nothing does
	LiveSince  time.Time
	Diagnosis  *Diagnosis // why the last deployment or deletion failed; nil otherwise

	CommentID        int64  // of the one comment on the pull request; 0 when not known
	CommentHash      string // of the body written last, so that an unchanged comment is not written again; empty while that is not known
	CommentAttempted bool   // a comment may exist although CommentID is 0: search before creating
	CommentWrites    int    // since the deployment in progress began; bounds the edits about its steps

	Channels Channels // what is written on GitHub beside the comment

	RemovedBy string  // login of who had it removed although the pull request is open; empty while nobody did
	Awaited   bool    // a command waits for the work under way to come to its end
	Notice    *Notice // stands above the comment for a while; nil when there is none

	QueuedAt     time.Time // since when it waits for a slot; zero while it does not
	MissingSince time.Time // when GitHub first said that the pull request does not exist; zero while it does

	CreatedAt time.Time
	ChangedAt time.Time // of the last change a person would care about; the comment's "last updated"
	ClosedAt  time.Time // zero while the pull request is open
}

// Wanted reports whether there is to be a preview: the pull request is open, and nobody had the preview removed.
func (p Preview) Wanted() bool { return p.Open && p.RemovedBy == "" }

// Due reports whether something is wanted that was not brought to its end yet.
func (p Preview) Due() bool { return p.Settled < p.Generation }

// maxEdits is how often the comment is written while a deployment runs. With the line before it and the end after it, that is six.
const maxEdits = 4

// MayEdit reports whether the comment may be written now. While a deployment runs its number of edits is bounded, because each
// counts against GitHub's limits; the end of a deployment is always written.
func (p Preview) MayEdit() bool { return p.Status != StatusDeploying || p.CommentWrites < maxEdits }

// Ref is how people name a preview: "owner/name#7".
func (p Preview) Ref() string { return fmt.Sprintf("%s#%d", p.Repository, p.Number) }

// Page is the path of the preview's web page, with nothing in it that could end a link.
func (p Preview) Page() string {
	owner, name, _ := strings.Cut(p.Repository, "/")
	return fmt.Sprintf("/p/%s/%s/%d", url.PathEscape(owner), url.PathEscape(name), p.Number)
}

// Release is the name of the Helm release in the preview's namespace. There is one release a namespace, so the name needs
// no pull request in it and charts see the same name for every pull request.
const Release = "preview"

// Deployment is one attempt to bring a preview to one commit.
type Deployment struct {
	ID         string // UUIDv7
	PreviewID  string
	SHA        string
	Attempt    int   // 1 for the first attempt at this commit
	Generation int64 // of the preview at the start
	Status     DeploymentStatus
	Diagnosis  *Diagnosis // nil unless failed
	Steps      []Step     // in the order in which they began
	StartedAt  time.Time
	FinishedAt time.Time // zero while it runs
}

// Delivery is one webhook delivery, as it was received.
type Delivery struct {
	ID         string // UUIDv7
	GUID       string // X-GitHub-Delivery; the same on a redelivery
	Event      string // X-GitHub-Event
	Action     string
	BodySHA256 string // hex
	Body       []byte
	Repository string // full name, as far as the body names one
	Number     int    // of the pull request; 0 when the event concerns none
	Outcome    DeliveryOutcome
	Reason     string // why it was ignored, for people; empty when it was accepted
	ReceivedAt time.Time
}

// DeliveryOutcome says what became of a delivery.
type DeliveryOutcome string

// The outcomes of a delivery.
const (
	DeliveryAccepted  DeliveryOutcome = "accepted"
	DeliveryDuplicate DeliveryOutcome = "duplicate" // seen before; applied all the same, as a hint that changes nothing
	DeliveryIgnored   DeliveryOutcome = "ignored"
)
