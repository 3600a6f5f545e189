package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

// write makes one request that changes something. Once it is on its way it is waited for.
func (p *process) write(ctx context.Context, of *pull, do func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	arrive := func() (lost bool, err error) {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		if err := p.w.hub.refusal(p, of.repo.id); err != nil {
			return false, err
		}
		if err := do(); err != nil {
			return false, err
		}
		p.w.hub.writes++
		p.w.checkComments(of)
		return false, nil
	}
	if !preview.LeaseHeld(ctx) { // as the transport of internal/ghapp does
		p.w.refused()
		return fmt.Errorf("not sent, the lease is over: %w", preview.ErrStale)
	}
	if time.Sleep(p.w.latency(p.slot, toGitHub, of.index)); p.died() {
		p.w.perhaps(func() { _, _ = arrive() })
		return errDead
	}
	_, err := arrive()
	p.w.mu.Lock()
	lost := err == nil && p.w.trouble.lostComments > 0
	if lost {
		p.w.trouble.lostComments--
		p.w.hit(opLostComment)
	}
	p.w.mu.Unlock()
	time.Sleep(p.w.latency(p.slot, toGitHub, of.index))
	if lost {
		err = errGitHub
	}
	return errors.Join(err, p.gate())
}

// refused counts a write that was held back because the lease was over.
func (w *world) refused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hit("stale write refused")
}

// perhaps lets a request that nobody waits for arrive seconds later, or never.
func (w *world) perhaps(arrive func()) {
	w.mu.Lock()
	n := w.roll(9, ofNature, 8)
	w.mu.Unlock()
	if n%2 == 0 {
		return
	}
	w.background.Go(func() {
		time.Sleep(time.Duration(n % uint64(5*time.Second)))
		w.mu.Lock()
		w.hit("request arrives late")
		w.mu.Unlock()
		arrive()
	})
}

var errNoComment = errors.New("GitHub answers 404 for the comment")

// Comment implements worker.GitHub, request for request as internal/ghapp does.
func (p *process) Comment(ctx context.Context, r ghapp.Repo, n int, req ghapp.CommentRequest) (int64, error) {
	key := preview.Key{RepositoryID: r.ID, Number: n}
	p.w.mu.Lock()
	of := p.w.hub.pull(key)
	p.w.mu.Unlock()
	if of == nil {
		return 0, fmt.Errorf("comment on %s: %w", key, preview.ErrNotFound)
	}
	id, err := p.comment(ctx, of, req)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	title, _, _ := strings.Cut(req.Body, "\n")
	p.w.note("%s comments on %s (id %d, may exist %v): %d, %v: %s", p.name, key, req.ID, req.MayExist, id, err, title)
	return id, err
}

func (p *process) comment(ctx context.Context, of *pull, req ghapp.CommentRequest) (id int64, err error) {
	edit := func(id int64) error {
		return p.write(ctx, of, func() error {
			i := slices.IndexFunc(of.ours, func(c comment) bool { return c.id == id })
			if i < 0 {
				return errNoComment
			}
			of.ours[i].body = req.Body
			return nil
		})
	}
	if req.ID != 0 {
		if err := edit(req.ID); !errors.Is(err, errNoComment) {
			return req.ID, err
		}
	}
	if req.ID != 0 || req.MayExist {
		found := int64(0)
		err := p.ask(ctx, of.repo.id, of.index, func() error {
			if len(of.ours) > 0 {
				found = of.ours[0].id
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if found != 0 && found == req.ID {
			return 0, fmt.Errorf("comment %d is listed but cannot be edited", found)
		}
		if found != 0 {
			if err := edit(found); !errors.Is(err, errNoComment) {
				return found, err
			}
		}
	}
	err = p.write(ctx, of, func() error {
		p.w.hub.ids++
		id = p.w.hub.ids
		of.ours, of.gone = append(of.ours, comment{id, req.Body}), false
		return nil
	})
	return id, err
}
