package preview

import "time"

// NotificationKind says what a notification is about.
type NotificationKind string

// The kinds of notifications.
const (
	NotifyStatus       NotificationKind = "status"        // the preview has another status
	NotifyRemovalStuck NotificationKind = "removal_stuck" // the preview's namespace does not go away
	NotifySweepStopped NotificationKind = "sweep_stopped" // more previews than allowed seem to have lost their pull request
)

// Notification tells one receiver of one thing that happened. It is stored in the transaction that made it happen and delivered at least once;
// the id tells a second delivery from a second thing. Its fields are the body that is sent.
type Notification struct {
	ID         string           `json:"id"` // UUIDv7
	Receiver   string           `json:"-"`  // by its name in the configuration
	PreviewID  string           `json:"preview_id,omitempty"`
	Kind       NotificationKind `json:"kind"`
	At         time.Time        `json:"at"`
	Repository string           `json:"repository,omitempty"` // "owner/name"
	Number     int              `json:"number,omitempty"`     // of the pull request
	Title      string           `json:"title,omitempty"`      // of the pull request
	Status     Status           `json:"status,omitempty"`
	Before     Status           `json:"before,omitempty"` // the status until then
	SHA        string           `json:"sha,omitempty"`    // the head commit
	LiveSHA    string           `json:"live_sha,omitempty"`
	URL        string           `json:"url,omitempty"`
	Code       string           `json:"code,omitempty"`  // of the diagnosis
	Cause      string           `json:"cause,omitempty"` // of the diagnosis, with how sure it is
	Fix        string           `json:"fix,omitempty"`
	Blame      Blame            `json:"blame,omitempty"`
	Text       string           `json:"text"` // one line for people
}
