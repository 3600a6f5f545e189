package simulate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

var errGitHub = errors.New("GitHub answers 502")

// refusal is the error that GitHub answers now, if any; repositoryID is zero for what concerns no repository. Call it with mu held.
func (h *hub) refusal(p *process, repositoryID int64) error {
	w, now := h.w, time.Now()
	switch {
	case w.trouble.github.After(now):
		w.hit(opGitHub)
		return errGitHub
	case w.trouble.limited.After(now):
		w.hit(opLimited)
		until := w.trouble.limited
		if p.skew != 0 { // a clock that is ahead finds the time past and waits a minute; one that is behind waits longer
			w.hit(opSkew)
			if until = until.Add(-p.skew); !until.After(now) {
				until = now.Add(time.Minute)
			}
		}
		return fmt.Errorf("asked: %w", &ghapp.RateLimited{Until: until, Message: "too many"})
	}
	i := slices.IndexFunc(h.repos, func(r *repo) bool { return r.id == repositoryID })
	if i < 0 {
		return nil
	}
	switch r := h.repos[i]; {
	case r.suspended:
		w.hit(opSuspend)
		return fmt.Errorf("suspended: %w", preview.ErrForbidden)
	case r.forbids.After(now):
		w.hit(opForbid)
		return fmt.Errorf("suspended: %w", preview.ErrForbidden)
	case r.vanished:
		w.hit(opVanish)
		return fmt.Errorf("repository %d: %w", repositoryID, preview.ErrGone)
	case r.hidden.After(now):
		w.hit(opHide)
		return fmt.Errorf("repository %d: %w", repositoryID, preview.ErrNotFound)
	case w.trouble.blips > 0:
		w.trouble.blips--
		w.hit(opBlip)
		return fmt.Errorf("repository %d: %w", repositoryID, preview.ErrNotFound)
	}
	return nil
}

// ask makes one request that changes nothing.
func (p *process) ask(ctx context.Context, repositoryID int64, pull int, answer func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if !p.sleep(ctx, p.w.latency(p.slot, toGitHub, pull)) {
		return ctx.Err()
	}
	p.w.mu.Lock()
	err := p.w.hub.refusal(p, repositoryID)
	if err == nil {
		err = answer()
	}
	p.w.mu.Unlock()
	if !p.sleep(ctx, p.w.latency(p.slot, toGitHub, pull)) {
		return ctx.Err()
	}
	return errors.Join(err, p.gate())
}

// PullRequest implements worker.GitHub.
func (p *process) PullRequest(ctx context.Context, r ghapp.Repo, n int) (found preview.PullRequest, err error) {
	key := preview.Key{RepositoryID: r.ID, Number: n}
	var of *pull
	begun, answered := p.w.now(), time.Time{}
	err = p.ask(ctx, r.ID, number(key), func() error {
		answered = time.Now()
		if of = p.w.hub.pull(key); of == nil {
			return fmt.Errorf("pull request %s: %w", key, preview.ErrNotFound)
		}
		found = p.w.hub.snapshot(of)
		return nil
	})
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.note("%s reads %s: open %v head %s, %v", p.name, key, found.Open, preview.ShortSHA(found.HeadSHA), err)
	if of = p.w.hub.pull(key); of == nil || errors.Is(err, errDead) || ctx.Err() != nil {
		return found, err
	}
	p.w.hub.reads++
	of.reads[p.name], of.refused[p.name] = begun, errors.Is(err, preview.ErrForbidden)
	none := errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone)
	if err == nil {
		last, ok := of.answers[p.name]
		now := answer{at: time.Now(), open: found.Open, head: found.HeadSHA}
		if last.old = nil; ok {
			now.old = &last
		}
		of.answers[p.name] = now
	}
	if err == nil && answered.After(of.missing) { // an old answer may come late
		of.missing = time.Time{}
	} else if none && of.missing.IsZero() {
		of.missing = time.Now()
	}
	return found, err
}

// Tarball implements worker.GitHub.
func (p *process) Tarball(ctx context.Context, r ghapp.Repo, sha string) (body io.ReadCloser, err error) {
	err = p.ask(ctx, r.ID, int(r.ID)%100, func() error {
		body = io.NopCloser(bytes.NewReader(withChart))
		if p.w.hub.classes[sha] == noChart {
			body = io.NopCloser(bytes.NewReader(withoutChart))
		}
		return nil
	})
	return body, err
}

var withChart, withoutChart = archive("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"), archive("README.md", "nothing here\n")

func archive(name, text string) []byte {
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	files := tar.NewWriter(packed)
	err := files.WriteHeader(&tar.Header{Name: "top/" + name, Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = files.Write([]byte(text))
	}
	if err = errors.Join(err, files.Close(), packed.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Resolve implements worker.Overview. An old name leads to the repository under its new one.
func (p *process) Resolve(ctx context.Context, fullName string) (r ghapp.Repo, err error) {
	for _, known := range p.w.hub.repos {
		if strings.TrimRight(known.name, "2") != strings.TrimRight(fullName, "2") {
			continue
		}
		err = p.ask(ctx, known.id, 90, func() error {
			r = ghapp.Repo{InstallationID: 1, ID: known.id, FullName: known.name}
			return nil
		})
		return r, err
	}
	return r, fmt.Errorf("repository %s: %w", fullName, preview.ErrNotFound)
}

// OpenPullRequests implements worker.Overview.
func (p *process) OpenPullRequests(ctx context.Context, r ghapp.Repo) (found []preview.PullRequest, err error) {
	err = p.ask(ctx, r.ID, 91, func() error {
		w, now := p.w, time.Now()
		found = w.hub.list(r.ID)
		switch {
		case w.trouble.staleList.After(now):
			w.hit(opStaleList)
			found = slices.Clone(w.hub.old[r.ID])
		case w.trouble.failList.After(now):
			w.hit(opFailList)
			return errGitHub
		case w.trouble.emptyList.After(now) && len(found) > 0:
			w.hit(opEmptyList)
			found = nil
		case w.trouble.shortList.After(now) && len(found) > 0:
			w.hit(opShortList)
			found = found[:len(found)-1]
		}
		return nil
	})
	return found, err
}

// RedeliverFailed implements worker.Overview: what was refused is sent again.
func (p *process) RedeliverFailed(ctx context.Context, _ time.Time) (n int, err error) {
	err = p.ask(ctx, 0, 92, func() error {
		for _, d := range p.w.hub.deliveries {
			if d.failed && !d.arrived {
				d.failed = false
				p.w.hit("delivered again")
				p.w.deliver(d, 0)
				n++
			}
		}
		return nil
	})
	return n, err
}
