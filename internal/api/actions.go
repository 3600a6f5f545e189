package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/order"
	"catalyst.dev/catalyst/internal/preview"
)

// actions are what people ask for. Each is the command of the same name that a comment can give, and becomes one: the answer tells under which id to ask
// what became of it.
func (a *api) actions() {
	do := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"actions"}, DefaultStatus: http.StatusAccepted}
	}
	for verb, op := range map[preview.Verb]huma.Operation{
		preview.VerbRedeploy: do("redeploy", http.MethodPost, pull+"/redeploy", "Deploy the same commit once more, or bring a removed preview back"),
		preview.VerbRetry:    do("retry", http.MethodPost, pull+"/retry", "Deploy a commit that failed once more; the same as redeploy"),
		preview.VerbDestroy:  do("delete-preview", http.MethodDelete, pull, "Remove the preview although the pull request is open"),
	} {
		register(a, op, func(ctx context.Context, _ *struct{ About }) (*answer[client.Command], error) {
			return a.give(ctx, preview.Order{Verb: verb})
		})
	}
	register(a, do("approve", http.MethodPost, pull+"/approve", "Allow one commit of a fork or a bot to be deployed"),
		func(ctx context.Context, in *struct {
			About
			Body client.Approval
		}) (*answer[client.Command], error) {
			return a.give(ctx, preview.Order{Verb: preview.VerbApprove, Argument: in.Body.Commit})
		})
	register(a, get("get-command", pull+"/commands/{id}", "Get what became of a command", "actions"),
		func(ctx context.Context, in *struct {
			About
			ID string `path:"id"`
		}) (*answer[client.Command], error) {
			id, err := strconv.ParseInt(in.ID, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("command %q: %w", in.ID, preview.ErrNotFound)
			}
			c, err := a.Store.Command(ctx, id)
			if err == nil && c.PreviewID != access.Preview(ctx).ID {
				err = fmt.Errorf("command %d is of another preview: %w", id, preview.ErrNotFound)
			}
			return ok(encodeCommand(c)), err
		})
}

func (a *api) give(ctx context.Context, o preview.Order) (*answer[client.Command], error) {
	who := access.From(ctx)
	c, err := order.Give(ctx, a.Lifecycle, access.Preview(ctx), who.Person, a.Access.Operator(who), o)
	return ok(encodeCommand(c)), err
}
