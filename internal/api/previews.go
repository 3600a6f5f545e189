package api

import (
	"context"
	"errors"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

type listInput struct {
	Page
	Repository string `query:"repository" maxLength:"200" doc:"Full name, OWNER/NAME."`
	Status     string `query:"status" enum:"current,pending,blocked,queued,deploying,running,degraded,failed,deleting,deleted" doc:"A status, or current: all but deleted."`
	Author     string `query:"author" maxLength:"100" doc:"Login of who opened the pull request."`
	Text       string `query:"q" maxLength:"100" doc:"Part of the title or the branch."`
}

// previews are asked for by everybody who is signed in, and show what they may see.
func (a *api) previews() {
	register(a, get("list-previews", base+"/previews", "List previews", "previews"), func(ctx context.Context, in *listInput) (*answer[client.Previews], error) {
		f := store.Filter{Repository: in.Repository, Status: in.Status, Author: in.Author, Text: in.Text}
		var err error
		if f.Before, f.BeforeID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
		list, next, err := a.Visible(ctx, f, in.Limit)
		if err != nil {
			return nil, err
		}
		out := client.Previews{Previews: []client.Preview{}, Next: next}
		for _, p := range list {
			shown, err := a.withLine(ctx, p)
			if err != nil {
				return nil, err
			}
			out.Previews = append(out.Previews, shown)
		}
		return ok(out), nil
	})
	register(a, get("get-preview", pull, "Get a preview", "previews"), func(ctx context.Context, _ *struct{ About }) (*answer[client.Preview], error) {
		out, err := a.withLine(ctx, access.Preview(ctx))
		return ok(out), err
	})
}

// maxPasses bounds how many pieces of the list are read for one page: somebody may see little of it.
const maxPasses = 20

// Visible returns the previews of one page that the one who asks may see, and the cursor of the next page.
func (a *api) Visible(ctx context.Context, f store.Filter, limit int) (list []preview.Preview, next string, err error) {
	f.Limit = limit + 1
	for range maxPasses {
		found, err := a.Store.Search(ctx, f)
		if err != nil {
			return nil, "", err
		}
		may, err := a.Access.Filter(ctx, access.From(ctx), found)
		if err != nil {
			return nil, "", err
		}
		list = append(list, may...)
		if len(list) > limit {
			last := list[limit-1]
			return list[:limit], cursor(last.ChangedAt, last.ID), nil
		}
		if len(found) < f.Limit {
			return list, "", nil
		}
		last := found[len(found)-1]
		f.Before, f.BeforeID = last.ChangedAt, last.ID
		next = cursor(last.ChangedAt, last.ID)
	}
	return list, next, nil
}

// withLine is the preview with its place in line.
func (a *api) withLine(ctx context.Context, p preview.Preview) (client.Preview, error) {
	out := encodePreview(p)
	w, waits, err := a.Lifecycle.Waiting(ctx, p)
	if err != nil {
		return out, err
	}
	if waits {
		out.Waiting = &client.Waiting{Position: w.Position, Of: w.Of, Reason: w.Reason}
	}
	return out, nil
}

type deploymentsInput struct {
	About
	Page
}

// commands is how many of the last commands the timeline shows.
const commands = 50

func (a *api) deployments() {
	register(a, get("list-deployments", pull+"/deployments", "List a preview's deployments", "previews"),
		func(ctx context.Context, in *deploymentsInput) (*answer[client.Deployments], error) {
			p := access.Preview(ctx)
			list, err := a.Store.DeploymentsBefore(ctx, p.ID, in.Cursor, in.Limit+1)
			if err != nil {
				return nil, err
			}
			out := client.Deployments{Deployments: []client.Deployment{}}
			if len(list) > in.Limit {
				list = list[:in.Limit]
				out.Next = list[in.Limit-1].ID
			}
			for _, d := range list {
				out.Deployments = append(out.Deployments, encodeDeployment(p, d))
			}
			return ok(out), nil
		})
	register(a, get("get-deployment", base+"/deployments/{deployment}", "Get a deployment with its steps", "previews"),
		func(ctx context.Context, in *struct {
			ID string `path:"deployment"`
		}) (*answer[client.Deployment], error) {
			d, err := a.Store.Deployment(ctx, in.ID)
			return ok(encodeDeployment(access.Preview(ctx), d)), err
		})
	register(a, get("get-timeline", pull+"/timeline", "Get what happened to a preview: deployments with their steps, and commands", "previews"),
		func(ctx context.Context, _ *struct{ About }) (*answer[client.Timeline], error) {
			p := access.Preview(ctx)
			deployments, err := a.Store.Deployments(ctx, p.ID, 20)
			asked, commandsErr := a.Store.CommandsOf(ctx, p.ID, commands)
			usual, usualErr := a.Store.Usual(ctx, p.RepositoryID)
			if err := errors.Join(err, commandsErr, usualErr); err != nil {
				return nil, err
			}
			out := client.Timeline{Deployments: []client.Deployment{}, Commands: []client.Command{}, UsualMS: usual.Milliseconds()}
			for _, d := range deployments {
				out.Deployments = append(out.Deployments, encodeDeployment(p, d))
			}
			for _, c := range asked {
				out.Commands = append(out.Commands, encodeCommand(c))
			}
			return ok(out), nil
		})
}
