package ghapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-github/v92/github"
)

// The longest texts of a check run that GitHub takes, in characters; bytes are at least as many.
const (
	maxCheckText  = 65_535
	maxCheckTitle = 255
)

// CheckRun says what the check run on a commit shall be.
type CheckRun struct {
	ID         int64  // as stored; 0: not known
	MayExist   bool   // one may be there although its id is not known; false saves the search for it
	Name       string // as people see it; one App has one of a name on a commit, for each ExternalID
	ExternalID string // whose it is
	SHA        string
	Conclusion string // "" while it is not finished
	Waiting    bool   // it has not begun yet
	DetailsURL string
	Title      string // one line
	Summary    string // Markdown
	Started    time.Time
	Finished   time.Time

	Annotations []Annotation
}

// Annotation is a remark on a line of a file at the commit.
type Annotation struct {
	Path    string // in the repository
	Line    int
	Title   string
	Message string
}

// CheckRun brings the check run up to date and returns its id: it changes the one with the given id; when that is gone or not known, the
// one of the same name and ExternalID on the commit; and creates one only when there is none. An App without the permission, and a token
// that is no App's, get preview.ErrForbidden; a commit that GitHub does not have is preview.ErrInvalid.
func (c *Client) CheckRun(ctx context.Context, r Repo, run CheckRun) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	id, err := c.checkRun(ctx, r, run)
	if err != nil {
		return 0, fmt.Errorf("check run %q on %.7s of %s: %w", run.Name, run.SHA, r.FullName, err)
	}
	return id, nil
}

func (c *Client) checkRun(ctx context.Context, r Repo, run CheckRun) (int64, error) {
	if err := c.forWrite(ctx, r); err != nil {
		return 0, err
	}
	if run.ID != 0 {
		id, err := c.updateCheckRun(ctx, r, run.ID, run)
		if !deleted(err) {
			return id, err
		}
	}
	if run.ID != 0 || run.MayExist {
		found, err := c.findCheckRun(ctx, r, run)
		if err != nil {
			return 0, err
		}
		if found != 0 {
			return c.updateCheckRun(ctx, r, found, run)
		}
	}
	return c.createCheckRun(ctx, r, run)
}

func (c *Client) createCheckRun(ctx context.Context, r Repo, run CheckRun) (int64, error) {
	options := github.CreateCheckRunOptions{
		Name: run.Name, HeadSHA: run.SHA, ExternalID: &run.ExternalID, Status: run.status(), Output: run.output(),
		Conclusion: optional(run.Conclusion), DetailsURL: optional(run.DetailsURL), StartedAt: at(run.Started), CompletedAt: run.completed(),
	}
	var written *github.CheckRun
	err := c.at(ctx, r, func(owner, name string) (err error) {
		written, _, err = c.gh.Checks.CreateCheckRun(with(ctx, "/repos/{owner}/{repo}/check-runs", c.within(r, scopeChecks)), owner, name, options)
		return err
	})
	if err != nil {
		return 0, err
	}
	if written.GetID() == 0 {
		return 0, errors.New("the answer to a new check run has no id")
	}
	return written.GetID(), nil
}

func (c *Client) updateCheckRun(ctx context.Context, r Repo, id int64, run CheckRun) (int64, error) {
	options := github.UpdateCheckRunOptions{
		Name: run.Name, ExternalID: &run.ExternalID, Status: run.status(), Output: run.output(),
		Conclusion: optional(run.Conclusion), DetailsURL: optional(run.DetailsURL), CompletedAt: run.completed(),
	}
	var written *github.CheckRun
	err := c.at(ctx, r, func(owner, name string) (err error) {
		written, _, err = c.gh.Checks.UpdateCheckRun(with(ctx, "/repos/{owner}/{repo}/check-runs/{id}", c.within(r, scopeChecks)), owner, name, id, options)
		return err
	})
	if err != nil {
		return 0, err
	}
	if written.GetID() != id {
		return 0, fmt.Errorf("changed check run %d, the answer is about %d", id, written.GetID())
	}
	return id, nil
}

// findCheckRun returns the newest one of the App's with the name and the external id on the commit, or 0.
func (c *Client) findCheckRun(ctx context.Context, r Repo, run CheckRun) (int64, error) {
	var list *github.ListCheckRunsResults
	err := c.at(ctx, r, func(owner, name string) (err error) {
		list, _, err = c.gh.Checks.ListCheckRunsForRef(with(ctx, "/repos/{owner}/{repo}/commits/{ref}/check-runs", c.within(r, scopeChecks)), owner, name, run.SHA,
			&github.ListCheckRunsOptions{CheckName: &run.Name, ListOptions: github.ListOptions{PerPage: 100}})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for it: %w", err)
	}
	var found int64
	for _, one := range list.CheckRuns {
		mine := c.key == nil || one.GetApp().GetID() == c.appID
		if mine && one.GetExternalID() == run.ExternalID {
			found = max(found, one.GetID())
		}
	}
	return found, nil
}

func (run CheckRun) status() *string {
	switch {
	case run.Conclusion != "":
		return new("completed")
	case run.Waiting:
		return new("queued")
	}
	return new("in_progress")
}

func (run CheckRun) completed() *github.Timestamp {
	if run.Conclusion == "" {
		return nil
	}
	return at(run.Finished)
}

func (run CheckRun) output() *github.CheckRunOutput {
	out := &github.CheckRunOutput{Title: new(shorter(run.Title, maxCheckTitle)), Summary: new(shorter(run.Summary, maxCheckText))}
	for _, a := range run.Annotations {
		line := max(a.Line, 1)
		out.Annotations = append(out.Annotations, &github.CheckRunAnnotation{
			Path: &a.Path, StartLine: &line, EndLine: &line, AnnotationLevel: new("failure"), Title: new(shorter(a.Title, maxCheckTitle)), Message: new(shorter(a.Message, maxCheckText)),
		})
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// at is a time as the API wants it; nil when there is none.
func at(t time.Time) *github.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &github.Timestamp{Time: t.UTC()}
}
