package preview

import "strings"

// Trust says whose code a pull request brings, and so how it is treated. It is computed from one answer of GitHub's API, and
// decides what is deployed without asking, where the chart comes from, and what a preview is given.
type Trust string

// The classes of trust. What cannot be told is TrustFork.
const (
	TrustOwn  Trust = "own"  // a branch of the repository itself: who pushed it may write there
	TrustBot  Trust = "bot"  // a branch of the repository itself, opened by an App or another robot
	TrustFork Trust = "fork" // another repository, one that is gone, or one that GitHub does not name
)

// Trust returns the class of the pull request as GitHub reports it. Repositories are told apart by their ids: the base
// repository may itself be a fork, and names can be taken over. What the operator says about bots is not in it; see policy.Access.
func (pr PullRequest) Trust() Trust {
	switch {
	case pr.RepositoryID <= 0 || pr.HeadRepositoryID != pr.RepositoryID:
		return TrustFork
	case pr.Bot || IsBot(pr.Author):
		return TrustBot
	}
	return TrustOwn
}

// IsBot reports whether a login is that of an App. People cannot have such a login.
func IsBot(login string) bool { return strings.HasSuffix(strings.ToLower(login), "[bot]") }
