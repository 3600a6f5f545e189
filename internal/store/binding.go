package store

import (
	"context"
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// readsBindings says that the decision rests on which repository is meant.
func readsBindings(e preview.Event) bool {
	switch e.Kind {
	case preview.EventHint, preview.EventCommand:
		return true
	}
	return readsApprovals(e)
}

// Bindings returns what is known about a repository's name, and about its id. The name may be in any case.
func (s *Store) Bindings(ctx context.Context, name string, repositoryID int64) ([]preview.Binding, error) {
	return bindings(ctx, s.q, name, repositoryID)
}

func bindings(ctx context.Context, q *db.Queries, name string, repositoryID int64) ([]preview.Binding, error) {
	rows, err := q.BindingsOf(ctx, db.BindingsOfParams{Name: strings.ToLower(name), RepositoryID: repositoryID})
	if err != nil {
		return nil, fmt.Errorf("read what repository %s stands for: %w", name, err)
	}
	out := make([]preview.Binding, len(rows))
	for i, r := range rows {
		out[i] = preview.Binding{Name: r.Name, RepositoryID: r.RepositoryID}
	}
	return out, nil
}

// Bind notes which repository a configured name leads to, unless it is noted already, and returns the id that is noted then.
func (s *Store) Bind(ctx context.Context, name string, repositoryID int64) (int64, error) {
	name = strings.ToLower(name)
	bound := repositoryID
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		if err := q.Bind(ctx, db.BindParams{Name: name, RepositoryID: repositoryID, LearntAt: now}); err != nil {
			return false, err
		}
		found, err := bindings(ctx, q, name, 0)
		for _, b := range found {
			bound = b.RepositoryID
		}
		return false, err
	})
	if err != nil {
		return 0, fmt.Errorf("bind the name %s to repository %d: %w", name, repositoryID, err)
	}
	return bound, nil
}

// Rebind notes which repository a configured name stands for, whatever was noted before: the operator says so.
func (s *Store) Rebind(ctx context.Context, name string, repositoryID int64) error {
	name = strings.ToLower(name)
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		return false, q.Rebind(ctx, db.RebindParams{Name: name, RepositoryID: repositoryID, LearntAt: now})
	})
	if err != nil {
		return fmt.Errorf("bind the name %s to repository %d: %w", name, repositoryID, err)
	}
	return nil
}
