package preview

// Channels is what Catalyst has written about a preview on GitHub beside its comment, as far as it knows. What is stored decides what is
// written next: nothing, while that says the same.
type Channels struct {
	Check       Check       `json:"check,omitzero"`
	Environment Environment `json:"environment,omitzero"`
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
