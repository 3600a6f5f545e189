package preview

import "time"

// Channels is what Catalyst has written about a preview on GitHub beside its comment, as far as it knows, and how fast. What is stored decides what is
// written next: nothing, while that says the same.
type Channels struct {
	Check       Check       `json:"check,omitzero"`
	Environment Environment `json:"environment,omitzero"`
	Comment     Pace        `json:"comment,omitzero"`
}

// Pace bounds how often the comment is written however often its preview changes: a few times at once, and then now and then. It is a bucket
// that each write fills by one and time empties.
type Pace struct {
	Level float64   `json:"level,omitempty"`
	At    time.Time `json:"at,omitzero"` // when the level was so
}

const (
	paceBurst = 6               // writes at once: as many as one deployment has
	paceEvery = 8 * time.Second // for each write after that
)

func (p Pace) level(now time.Time) float64 {
	return max(0, p.Level-float64(max(now.Sub(p.At), 0))/float64(paceEvery))
}

// Written returns the pace after one more write.
func (p Pace) Written(now time.Time) Pace { return Pace{Level: p.level(now) + 1, At: now} }

// Wait is how long the next write has to wait; zero when it may come now.
func (p Pace) Wait(now time.Time) time.Duration {
	over := p.level(now) - (paceBurst - 1)
	if over <= 0 {
		return 0
	}
	return min(time.Duration(over*float64(paceEvery)), 2*paceEvery) // whatever clocks say
}

// Check is the check run on the head commit. A commit has one; the next commit gets its own.
type Check struct {
	SHA       string `json:"sha,omitempty"`       // the commit; empty when there is none
	ID        int64  `json:"id,omitempty"`        // 0 when not known
	Attempted bool   `json:"attempted,omitempty"` // one may exist although ID is 0: search before creating
	Open      bool   `json:"open,omitempty"`      // what was written last said that it is not finished
	Hash      string `json:"hash,omitempty"`      // of what was written last
}

// Environment is the preview's environment on GitHub, with the deployments that GitHub lists in it: that of the newest commit, and that of
// the commit before while it still answers.
type Environment struct {
	Name string `json:"name,omitempty"` // empty while there is none
	Next Listed `json:"next,omitzero"`
	Live Listed `json:"live,omitzero"`
}

// Listed is a deployment as GitHub lists it.
type Listed struct {
	SHA       string      `json:"sha,omitempty"`
	ID        int64       `json:"id,omitempty"`        // 0 when not known
	Attempted bool        `json:"attempted,omitempty"` // one may exist although ID is 0: search before creating
	State     ListedState `json:"state,omitempty"`     // as written last
	URL       string      `json:"url,omitempty"`       // as written last
}

// ListedState is the state of a deployment in GitHub's words.
type ListedState string

// The states that are written.
const (
	ListedInProgress ListedState = "in_progress"
	ListedSuccess    ListedState = "success"
	ListedFailure    ListedState = "failure"
	ListedInactive   ListedState = "inactive" // GitHub shows a transient one as destroyed
)
