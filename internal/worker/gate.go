package worker

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

// Records reads what is kept of people's decisions and commands.
type Records interface {
	Approvals(ctx context.Context, previewID string) ([]preview.Approval, error)
	Commands(ctx context.Context, previewID string) ([]preview.Command, error)
}

// People tells what people said and what they may do, now, and answers them.
type People interface {
	IssueComment(ctx context.Context, r ghapp.Repo, id int64) (ghapp.IssueComment, error)
	React(ctx context.Context, r ghapp.Repo, comment int64, reaction string) error
	Permission(ctx context.Context, r ghapp.Repo, login string) (ghapp.Permission, error)
}

// errBlocked says that the commit may not be deployed. It is stored already.
var errBlocked = errors.New("blocked")

// cleared makes sure, right before an effect, that a commit that needs an approval still has one, and that who gave it may
// still give it. It is errBlocked when not. The policy decides; here is only asked what it cannot know.
func (w *Worker) cleared(ctx context.Context, c *claim, p preview.Preview, trust preview.Trust) error {
	if trust == preview.TrustOwn {
		return nil
	}
	approvals, err := w.Records.Approvals(ctx, p.ID)
	if err != nil {
		return err
	}
	e := preview.Event{Kind: preview.EventProceed, SHA: p.HeadSHA}
	if a, ok := preview.Covering(approvals, p.PullRequest, p.HeadSHA); ok && a.ApproverID != preview.Operators {
		may, err := w.People.Permission(ctx, repo(p), a.Approver)
		if err != nil {
			return fmt.Errorf("ask whether %s may still approve %s: %w", a.Approver, p.Ref(), err)
		}
		if !may.Write || may.UserID != a.ApproverID {
			w.Log.Warn("approval withdrawn: who gave it may not write to the repository any more", "preview", p.Ref(), "sha", a.SHA, "approver", a.Approver)
			e.Withdrawn = a.ID
		}
	}
	now, _, err := w.handle(ctx, c, p, e)
	if err == nil && now.Status == preview.StatusBlocked {
		err = errBlocked
	}
	return err
}

// source returns the commit whose chart is deployed: the head of the pull request, or for a fork the head of the branch it is to go
// to, so that a stranger's commit brings an image and nothing that runs with Catalyst's rights.
func (w *Worker) source(ctx context.Context, p preview.Preview, trust preview.Trust) (string, error) {
	if trust != preview.TrustFork {
		return p.HeadSHA, nil
	}
	sha, err := w.GitHub.Branch(ctx, repo(p), p.BaseBranch)
	if errors.Is(err, preview.ErrNotFound) {
		return "", preview.Fail(err, preview.Diagnosis{
			Code: preview.CodeChartMissing, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("The branch %s, whose chart previews of forks use, does not exist.", p.BaseBranch),
			Fix:   "Change the base branch of the pull request.",
		})
	}
	if err == nil {
		w.Log.Info("a fork gets the chart of the base branch", "preview", p.Ref(), "branch", p.BaseBranch, "chart_sha", sha)
	}
	return sha, err
}
