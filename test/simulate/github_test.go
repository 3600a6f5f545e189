//go:build simulate

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

// The repositories. Their short names are alike, so that their previews want the same names.
const (
	repositoryA = 101
	repositoryB = 202
	pulls       = 4
)

// configured are the repositories' names in the configuration.
var configured = []string{"acme/web", "evil/web"}

var errGitHub = errors.New("GitHub answers 502")

// hub is GitHub: the truth about pull requests, their comments, and the deliveries that tell of them.
type hub struct {
	w          *world
	repos      []*repo
	pulls      []*pull
	classes    map[string]class // of the commits
	deliveries []*delivery
	ids        int64
	writes     int                             // that changed something
	reads      int                             // of pull requests
	old        map[int64][]preview.PullRequest // the lists of open ones that were once remembered, by repository
}

type repo struct {
	id              int64
	name            string
	vanished        bool
	suspended       bool      // it forbids everything for ever
	hidden, forbids time.Time // until
}

// pull is a pull request; one that was never opened has no commits.
type pull struct {
	index   int
	key     preview.Key
	repo    *repo
	open    bool
	merged  bool
	base    string
	commits []string // every head that it had; the last one is the head
	ours    []comment
	gone    bool // a person deleted our comment and nothing was written since

	reads   map[string]time.Time // by process: when the last reading was made
	answers map[string]answer    // by process: the last answer that it got
	refused map[string]bool      // by process: whether it was refused the last answer
	missing time.Time            // since when all answers said that there is no such pull request
}

// answer is what a process was told of a pull request, and what it was told before. That there is none is no answer: it is
// not believed at once.
type answer struct {
	at   time.Time // when it arrived
	open bool
	head string
	old  *answer
}

type comment struct {
	id   int64
	body string
}

// delivery is one webhook delivery and what became of it.
type delivery struct {
	at       int // its place among all
	event    preview.Event
	sent     int
	arrived  bool
	failed   bool
	accepted time.Time
}

func (p *pull) head() string { return p.commits[len(p.commits)-1] }

func newHub(w *world) *hub {
	h := &hub{w: w, classes: map[string]class{}, repos: []*repo{{id: repositoryA, name: configured[0]}, {id: repositoryB, name: configured[1]}}}
	for i, at := range []struct{ repo, number int }{{0, 1}, {0, 2}, {1, 1}, {1, 3}} {
		r := h.repos[at.repo]
		h.pulls = append(h.pulls, &pull{
			index: i, key: preview.Key{RepositoryID: r.id, Number: at.number}, repo: r, base: "main",
			reads: map[string]time.Time{}, answers: map[string]answer{}, refused: map[string]bool{},
		})
	}
	return h
}

func number(k preview.Key) int { return int(k.RepositoryID)*4%256 + k.Number }

func (h *hub) pull(k preview.Key) *pull {
	i := slices.IndexFunc(h.pulls, func(p *pull) bool { return p.key == k })
	if i < 0 || len(h.pulls[i].commits) == 0 {
		return nil
	}
	return h.pulls[i]
}

// operate does what people do on GitHub, or what GitHub does to them. What is not possible now becomes the nearest that is.
func (h *hub) operate(o op, until time.Time) {
	p := h.pulls[o.Pull]
	switch o.Kind {
	case opHide:
		p.repo.hidden = until
		return
	case opForbid:
		p.repo.forbids = until
		return
	case opVanish:
		p.repo.vanished = true
		return
	case opSuspend:
		p.repo.suspended = true
		return
	case opRename:
		p.repo.name = strings.TrimRight(p.repo.name, "2") + "2"
		return
	case opUncomment:
		if len(p.ours) > 0 {
			p.ours, p.gone = nil, true
		}
		return
	case opRedeploy:
		at := h.w.processes[o.Slot%len(h.w.processes)]
		h.w.background.Go(func() {
			_, _, _ = at.Handle(context.Background(), preview.Event{Kind: preview.EventRedeploy, Key: p.key})
		})
		return
	}
	action := "edited"
	switch {
	case p.repo.vanished || p.merged:
		return
	case len(p.commits) == 0:
		h.commit(p, o.Class)
		p.open, action = true, "opened"
	case !p.open && (o.Kind == opReopen || o.Kind == opOpen || o.Kind == opClose):
		p.open, action = true, "reopened"
	case !p.open && o.Kind == opMerge:
		return
	case o.Kind == opClose || o.Kind == opMerge:
		p.open, p.merged, action = false, o.Kind == opMerge, "closed"
	case o.Kind == opRetarget:
		p.base = fmt.Sprintf("release-%d", o.Slot)
	case o.Kind == opBack && len(p.commits) > 1:
		p.commits, action = append(p.commits, p.commits[len(p.commits)-2]), "synchronize"
	default:
		h.commit(p, o.Class)
		action = "synchronize"
	}
	h.w.note("%s %s: open %v, head %s (%s)", p.key, action, p.open, preview.ShortSHA(p.head()), h.classes[p.head()])
	h.tell(p, o, action)
}

func (h *hub) commit(p *pull, c class) {
	h.ids++
	sha := fmt.Sprintf("%07x%033x", h.ids, 0)
	h.classes[sha] = c
	p.commits = append(p.commits, sha)
}

// tell makes a delivery of what happened and sends it as often, and as late, as the operation says.
func (h *hub) tell(p *pull, o op, action string) {
	h.ids++
	id := fmt.Sprintf("d%d", h.ids)
	d := &delivery{at: len(h.deliveries), event: preview.Event{
		Kind: preview.EventHint, Key: p.key, PullRequest: h.snapshot(p), Closed: !p.open,
		Delivery: &preview.Delivery{GUID: id, Event: "pull_request", Action: action, BodySHA256: id, Repository: p.repo.name, Number: p.key.Number},
	}}
	h.deliveries = append(h.deliveries, d)
	if o.Copies == 0 {
		h.w.hit("delivery lost")
	}
	for i := range o.Copies {
		late := time.Duration(0)
		if n := h.w.roll(9, ofHistory, 2); i > 0 || n%2 == 0 {
			late = time.Duration(n % uint64(time.Millisecond<<o.Late))
		}
		h.w.deliver(d, late)
	}
}

func (h *hub) snapshot(p *pull) preview.PullRequest {
	return preview.PullRequest{
		Key: p.key, Repository: p.repo.name, InstallationID: 1, Title: "a change", Author: "ada", Branch: "topic", BaseBranch: p.base,
		HeadSHA: p.head(), HeadRepositoryID: p.repo.id, Open: p.open, Merged: p.merged, Comments: len(p.ours),
	}
}

// list returns what is open in a repository.
func (h *hub) list(repositoryID int64) (found []preview.PullRequest) {
	for _, of := range h.pulls {
		if of.repo.id == repositoryID && of.open {
			one := h.snapshot(of)
			one.Comments = -1
			found = append(found, one)
		}
	}
	return found
}

// remember keeps the lists as they are now, to be given as answers later.
func (h *hub) remember() {
	h.old = map[int64][]preview.PullRequest{}
	for _, r := range h.repos {
		h.old[r.id] = h.list(r.id)
	}
}

func (h *hub) heal() {
	for _, r := range h.repos {
		r.hidden, r.forbids = time.Time{}, time.Time{}
	}
}

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
