// Package order hands in what people ask for beside comments, as the commands that comments give: what then becomes of it, and who may, is the same.
// It decides nothing.
package order

import (
	"context"
	"math/rand/v2"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Lifecycle takes events.
type Lifecycle interface {
	Handle(ctx context.Context, e preview.Event) (preview.Preview, preview.Decision, error)
}

// Give hands an order in for the preview and returns it as a command that waits to be looked at. operator says that whoever gives it is one; for everybody
// else GitHub is asked again when it is looked at. preview.ErrConflict when nothing can come of it.
func Give(ctx context.Context, door Lifecycle, p preview.Preview, by preview.Person, operator bool, o preview.Order) (preview.Command, error) {
	c := preview.Command{
		CommentID: preview.CommandID(time.Now(), uint16(rand.Uint32())), Order: o, Author: by.Login, AuthorID: by.UserID, Origin: preview.OriginPerson,
	}
	if operator {
		c.Origin = preview.OriginOperator
	}
	if c.Author == "" {
		c.Author = by.Name
	}
	_, d, err := door.Handle(ctx, preview.Event{Kind: preview.EventCommand, Key: p.Key, PullRequest: p.PullRequest, Closed: !p.Open, Command: &c})
	if err != nil {
		return preview.Command{}, err
	}
	if d.Command == nil {
		return preview.Command{}, problem.Say(preview.ErrConflict, "Nothing can come of it: "+d.Reason+".")
	}
	return *d.Command, nil
}
