package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Commands returns the commands of a preview that are not at their end, or whose end was not told, in the order of their comments.
func (s *Store) Commands(ctx context.Context, previewID string) ([]preview.Command, error) {
	rows, err := s.q.ListCommands(ctx, previewID)
	if err != nil {
		return nil, fmt.Errorf("list commands of preview %s: %w", previewID, err)
	}
	out := make([]preview.Command, len(rows))
	for i, r := range rows {
		out[i] = toCommand(r)
	}
	return out, nil
}

// command returns the command of a comment, or nil.
func command(ctx context.Context, q *db.Queries, comment int64) (*preview.Command, error) {
	row, err := q.CommandByComment(ctx, comment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // a comment that gave no command yet is a value of its own here
	case err != nil:
		return nil, fmt.Errorf("read the command of comment %d: %w", comment, err)
	}
	c := toCommand(row)
	return &c, nil
}

func toCommand(r db.Command) preview.Command {
	return preview.Command{
		CommentID: r.CommentID, PreviewID: r.PreviewID, Order: preview.Order{Verb: preview.Verb(r.Verb), Argument: r.Argument},
		Author: r.Author, AuthorID: r.AuthorID, SHA: r.Sha, Outcome: preview.CommandOutcome(r.Outcome), Told: preview.CommandOutcome(r.Told),
		Generation: r.Generation, ReceivedAt: fromMS(r.ReceivedAt), FinishedAt: fromMS(r.FinishedAt), Origin: preview.Origin(r.Origin), Reason: r.Reason,
	}
}

// writeCommand stores a new command or what became of one. What was asked, where and by whom never changes. A comment gives
// one command: when two transactions bring it, the second is run again and finds it.
func writeCommand(ctx context.Context, q *db.Queries, previewID string, c *preview.Command, known bool) error {
	if c == nil {
		return nil
	}
	var err error
	rows := int64(1)
	if known {
		err = q.UpdateCommand(ctx, db.UpdateCommandParams{
			CommentID: c.CommentID, Outcome: string(c.Outcome), Told: string(c.Told), Generation: c.Generation, FinishedAt: toMS(c.FinishedAt), Reason: c.Reason,
		})
	} else {
		rows, err = q.InsertCommand(ctx, db.InsertCommandParams{
			CommentID: c.CommentID, PreviewID: previewID, Verb: string(c.Order.Verb), Argument: c.Order.Argument, Author: c.Author,
			AuthorID: c.AuthorID, Sha: c.SHA, Outcome: string(c.Outcome), Told: string(c.Told), Generation: c.Generation,
			ReceivedAt: toMS(c.ReceivedAt), FinishedAt: toMS(c.FinishedAt), Origin: string(c.Origin), Reason: c.Reason,
		})
	}
	if err != nil {
		return fmt.Errorf("write the command of comment %d: %w", c.CommentID, err)
	}
	if rows == 0 {
		return errConflict
	}
	return nil
}

// encodeNotice stores no notice as the empty text.
func encodeNotice(n *preview.Notice) string {
	if n == nil {
		return ""
	}
	b, _ := json.Marshal(n) // strings and a time always encode
	return string(b)
}

func decodeNotice(text string) (*preview.Notice, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no notice is a value of its own here
	}
	var n preview.Notice
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return nil, fmt.Errorf("read notice %.80q: %w", text, err)
	}
	return &n, nil
}
