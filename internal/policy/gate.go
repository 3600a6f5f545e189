package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Forks says what becomes of pull requests from other repositories.
type Forks string

// What can become of them.
const (
	ForksApprove Forks = "approve" // each commit waits for a person's approval; also the meaning of the empty text
	ForksDeploy  Forks = "deploy"  // deployed without asking
	ForksNever   Forks = "never"   // not deployed, and not to be approved
)

// Access is whom the operator of a repository trusts. The zero value trusts nobody but those who may push to the repository.
type Access struct {
	Forks       Forks
	TrustedBots []string // logins of Apps whose branches count as the repository's own
}

// Trust returns the class that the pull request is treated as: preview.PullRequest.Trust, after what the operator says about bots.
func (a Access) Trust(pr preview.PullRequest) preview.Trust {
	t := pr.Trust()
	trusted := func(login string) bool { return strings.EqualFold(login, pr.Author) }
	if t == preview.TrustBot && preview.IsBot(pr.Author) && slices.ContainsFunc(a.TrustedBots, trusted) {
		return preview.TrustOwn
	}
	return t
}

// access is whom the operator trusts of the repository that is configured under this name; nobody in one that is not.
func (r Rules) access(name string) Access {
	if r.Access == nil || name == "" {
		return Access{}
	}
	return r.Access(name)
}

// verdict is what the gate says of one commit of one pull request.
type verdict int

const (
	admitted   verdict = iota
	unapproved         // a person has to allow this commit first
	shut               // nobody can allow it
	unmeant            // its repository only has the name of one that is configured
)

// judge is the gate: it says whether the pull request may be deployed at the commit. It looks at nothing but the pull request as
// last read, what its repository is to the configuration, and the approvals; who or what asks for the deployment does not matter.
func (r Rules) judge(s preview.State, pr preview.PullRequest, sha string, approvals []preview.Approval) verdict {
	name, taken := Configured(r.Repositories, s.Bindings, pr)
	if taken != 0 {
		return unmeant
	}
	access := r.access(name)
	switch trust := access.Trust(pr); {
	case trust == preview.TrustOwn, trust == preview.TrustFork && access.Forks == ForksDeploy:
		return admitted
	case trust == preview.TrustFork && access.Forks == ForksNever:
		return shut
	}
	if _, ok := preview.Covering(approvals, pr, sha); ok {
		return admitted
	}
	return unapproved
}

// block settles a preview whose commit may not be deployed. What was live before stays live.
func block(s preview.State, p preview.Preview, v verdict) preview.Decision {
	advance := p.Status == preview.StatusQueued || p.Status == preview.StatusDeploying
	p.Status, p.Settled, p.Diagnosis, p.QueuedAt = preview.StatusBlocked, p.Generation, nil, time.Time{}
	p.ChangedAt = s.Now
	switch v {
	case unmeant:
		p.Diagnosis = &preview.Diagnosis{
			Code: preview.CodeConfig, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("The name %s was another repository's when Catalyst was configured for it.", p.Repository),
			Fix:   ConfirmTakenOver(p.RepositoryID),
		}
	case shut:
		p.Diagnosis = &preview.Diagnosis{
			Code: preview.CodeForksOff, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("Pull requests from forks get no previews in %s.", p.Repository),
			Fix:   "Push the branch to the repository itself, or have `forks` changed in the server's configuration of the repository.",
		}
	}
	d := preview.Decision{Preview: &p, Jobs: []preview.JobRequest{{Kind: preview.JobComment}}, Advance: advance}
	if old := s.Deployment; old != nil && old.Status == preview.DeploymentRunning {
		ended := *old
		ended.Status, ended.FinishedAt = preview.DeploymentSuperseded, s.Now
		d.Deployments = []preview.Deployment{ended}
	}
	return d
}

// proceed looks again whether a deployment that is under way may go on. An approval that the event says is withdrawn, is.
func proceed(s preview.State, p preview.Preview, e preview.Event, r Rules) preview.Decision {
	var withdrawn []preview.Approval
	holding := slices.Clone(s.Approvals)
	for i := range holding {
		if a := &holding[i]; a.ID == e.Withdrawn && a.WithdrawnAt.IsZero() {
			a.WithdrawnAt = s.Now
			withdrawn = append(withdrawn, *a)
		}
	}
	d := preview.Decision{}
	if v := r.judge(s, p.PullRequest, e.SHA, holding); v != admitted {
		d = block(s, p, v)
	}
	d.Approvals = withdrawn
	return d
}

// regated reports whether a pull request has to pass the gate again although its commit is the same: an approval holds only for
// where it comes from and where it is to go.
func regated(before, now preview.PullRequest) bool {
	if before.Trust() == preview.TrustOwn && now.Trust() == preview.TrustOwn {
		return false
	}
	return before.Trust() != now.Trust() || before.HeadRepositoryID != now.HeadRepositoryID || before.BaseBranch != now.BaseBranch
}
