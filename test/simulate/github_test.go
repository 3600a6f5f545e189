package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
