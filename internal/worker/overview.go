package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// listed is what GitHub tells in one sweep.
type listed struct {
	open  map[preview.Key]preview.PullRequest
	whole map[int64]bool   // repositories whose list came whole
	names map[string]int64 // which repository a name leads to now, by the name in lower case; 0: to none
}

// list asks GitHub for the open pull requests of all configured repositories, and of those that only known previews name: one
// that was renamed, or is configured no longer, is still looked after until its previews are gone.
func (w *Worker) list(ctx context.Context, known []preview.Preview) (listed, error) {
	l := listed{open: map[preview.Key]preview.PullRequest{}, whole: map[int64]bool{}, names: map[string]int64{}}
	var errs []error
	asked := map[string]bool{}
	for _, name := range w.Repos {
		asked[strings.ToLower(name)] = true
		errs = append(errs, w.listOne(ctx, &l, name, true))
	}
	for _, p := range known {
		if name := strings.ToLower(p.Repository); p.Open && !l.whole[p.RepositoryID] && !asked[name] {
			asked[name] = true
			errs = append(errs, w.listOne(ctx, &l, p.Repository, false))
		}
	}
	return l, errors.Join(errs...)
}

func (w *Worker) listOne(ctx context.Context, l *listed, name string, configured bool) error {
	repo, err := w.Overview.Resolve(ctx, name)
	if nowhere(err) {
		l.names[strings.ToLower(name)] = 0
	}
	if err != nil {
		return fmt.Errorf("look %s up: %w", name, err)
	}
	l.names[strings.ToLower(name)] = repo.ID
	if configured {
		if err := w.Settings.Learn(ctx, name, repo.ID); err != nil {
			return err // what it lists is nobody's here
		}
	}
	pulls, err := w.Overview.OpenPullRequests(ctx, repo)
	if err != nil {
		return fmt.Errorf("list open pull requests of %s: %w", name, err)
	}
	l.whole[repo.ID] = true
	for _, pr := range pulls {
		l.open[pr.Key] = pr
	}
	return nil
}

// nowhere reports whether GitHub said that there is no such thing for us.
func nowhere(err error) bool {
	return errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone)
}

// gone reports whether the list speaks for the preview's pull request being closed: it is not in its repository's list, or the
// repository's name leads elsewhere. When GitHub did not answer, nothing is said.
func (l listed) gone(p preview.Preview) bool {
	if _, ok := l.open[p.Key]; ok || !p.Open {
		return false
	}
	leads, answered := l.names[strings.ToLower(p.Repository)]
	return l.whole[p.RepositoryID] || answered && leads != p.RepositoryID
}

// learn looks up which repositories the configured names lead to now. The error names those that could not be found out.
func (w *Worker) learn(ctx context.Context) error {
	var errs []error
	for _, name := range w.Repos {
		repo, err := w.Overview.Resolve(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("look %s up: %w", name, err))
			continue
		}
		if err := w.Settings.Learn(ctx, name, repo.ID); err != nil && !errors.Is(err, preview.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
