package preview

import "time"

// Approval is a person's word that one commit of one pull request may be deployed. It is never extended to another commit:
// it holds for exactly what was there when it was given.
type Approval struct {
	ID               string // UUIDv7
	PreviewID        string
	Key                     // of the pull request
	SHA              string // the whole of it
	HeadRepositoryID int64
	BaseBranch       string
	Approver         string // login at the time
	ApproverID       int64  // who it is: logins change hands; Operators when it is an operator's word
	CommentID        int64  // where it was said; negative when it came by no comment
	ApprovedAt       time.Time
	WithdrawnAt      time.Time // zero while it holds
}

// Operators is the ApproverID of an operator's word: it holds whatever GitHub says of who gave it. No account on GitHub has it.
const Operators int64 = 0

// Covers reports whether the approval allows the pull request to be deployed at the commit. The commit must be the pull request's head,
// and nothing else may have changed since: not the repository it comes from, nor the branch it is to go to.
func (a Approval) Covers(pr PullRequest, sha string) bool {
	return a.WithdrawnAt.IsZero() && ValidSHA(sha) && a.SHA == sha && pr.HeadSHA == sha &&
		a.Key == pr.Key && a.HeadRepositoryID == pr.HeadRepositoryID && a.BaseBranch == pr.BaseBranch
}

// Covering returns the approval that allows the pull request to be deployed at the commit.
func Covering(approvals []Approval, pr PullRequest, sha string) (Approval, bool) {
	for _, a := range approvals {
		if a.Covers(pr, sha) {
			return a, true
		}
	}
	return Approval{}, false
}
