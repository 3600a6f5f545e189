package fakegithub

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// pull is a pull request, or an issue when plain.
type pull struct {
	repo             *Repo
	id, number       int64
	plain            bool
	title, body      string
	author           *Account
	closed, draft    bool
	merged, locked   bool
	mergedBy         *Account
	headRepo         *Repo // nil when it was deleted
	headOwner        *Account
	headRef, headSHA string
	baseRef, baseSHA string
	labels           []*label
	comments         []*comment
	mergeAsked       bool // somebody read the pull request since its head or base changed
	mergeSHA         string
	created, updated time.Time
	closedAt         time.Time
	seen             []string // head commits until now
	events           []pullEvent
}

// pullEvent is a line of the conversation that is no comment.
type pullEvent struct {
	at    time.Time
	actor *Account
	text  string
}

type label struct {
	id          int64
	name, color string
}

// Pull is a pull request, acted on by its author or by the account of As.
type Pull struct {
	p     *pull
	actor *Account
}

// PullOptions describe a pull request.
type PullOptions struct {
	Title, Body string
	Author      *Account // the owner of the head repository when nil
	Head        string   // the branch; "feature-N" when empty
	HeadRepo    *Repo    // a fork; the repository itself when nil
	Base        string   // the default branch when empty
	Draft       bool
	Files       Files // a commit made on the head branch first; needed when the branch does not exist
}

// OpenPull opens a pull request.
func (r *Repo) OpenPull(options PullOptions) *Pull {
	defer r.lock()()
	head := options.HeadRepo
	if head == nil {
		head = r
	}
	author := options.Author
	if author == nil {
		author = head.owner
	}
	branch := cmp.Or(options.Head, "feature-"+strconv.FormatInt(r.lastNumber+1, 10))
	if len(options.Files) > 0 {
		head.commit(author, branch, options.Files, cmp.Or(options.Title, "Change"))
	}
	p, problem := r.openPull(options.Title, options.Body, author, head, branch, cmp.Or(options.Base, r.defaultBranch), options.Draft)
	if problem != "" {
		misuse("open a pull request of %s: %s", r.fullName(), problem)
	}
	return &Pull{p, author}
}

func (r *Repo) openPull(title, body string, author *Account, head *Repo, branch, base string, draft bool) (*pull, string) {
	sha, ok := head.branches[branch]
	switch {
	case !ok:
		return nil, "head branch " + branch + " does not exist, give Files to make it"
	case r.branches[base] == "":
		return nil, "base branch " + base + " does not exist"
	case head.network != r.network:
		return nil, head.fullName() + " is not a fork of it"
	case len(r.network.between(r.branches[base], sha)) == 0:
		return nil, "No commits between " + base + " and " + branch
	}
	p := r.number(title, body, author)
	p.headRepo, p.headOwner, p.headRef, p.headSHA = head, head.owner, branch, sha
	p.baseRef, p.baseSHA, p.draft = base, r.branches[base], draft
	p.testMerge()
	p.emit("opened", nil, author)
	return p, ""
}

// OpenIssue opens an issue that is no pull request; only comments work on it.
func (r *Repo) OpenIssue(author *Account, title, body string) *Pull {
	defer r.lock()()
	p := r.number(title, body, author)
	p.plain = true
	return &Pull{p, author}
}

func (r *Repo) number(title, body string, author *Account) *pull {
	r.lastNumber++
	now := r.s.now()
	p := &pull{repo: r, id: r.s.id(), number: r.lastNumber, title: cmp.Or(title, "Change"), body: body, author: author,
		created: now, updated: now}
	r.pulls[p.number] = p
	return p
}

// Pull returns the pull request or issue of that number, nil when there is none.
func (r *Repo) Pull(number int64) *Pull {
	defer r.lock()()
	if p := r.pulls[number]; p != nil {
		return &Pull{p, p.author}
	}
	return nil
}

// As returns the same pull request acted on by another account.
func (p *Pull) As(actor *Account) *Pull { return &Pull{p.p, actor} }

// Number returns the pull request's number in its repository.
func (p *Pull) Number() int64 { return p.p.number }

// Repo returns the repository the pull request is to be merged into.
func (p *Pull) Repo() *Repo { return p.p.repo }

// HeadSHA returns the commit the pull request is at.
func (p *Pull) HeadSHA() string { defer p.lock()(); return p.p.headSHA }

// State returns "open", "closed" or "merged".
func (p *Pull) State() string {
	defer p.lock()()
	if p.p.merged {
		return "merged"
	}
	return p.p.state()
}

// URL returns the address of the pull request's page.
func (p *Pull) URL() string { defer p.lock()(); return p.p.htmlURL() }

func (p *Pull) lock() func() { return p.p.repo.lock() }

// Push adds a commit with the changes to the head branch and returns its SHA.
func (p *Pull) Push(changes Files, message string) string {
	defer p.lock()()
	return p.head().commit(p.actor, p.p.headRef, changes, message)
}

// ForcePush points the head branch at any commit, an older one too.
func (p *Pull) ForcePush(sha string) {
	defer p.lock()()
	p.head().move(p.actor, p.p.headRef, sha)
}

func (p *Pull) head() *Repo {
	if p.p.headRepo == nil {
		misuse("push to %s: its head repository is deleted", p.p)
	}
	return p.p.headRepo
}

// Close closes the pull request, merging it first when merge is true.
func (p *Pull) Close(merge bool) {
	defer p.lock()()
	if !p.p.open() {
		misuse("close %s: it is closed", p.p)
	}
	if merge {
		p.p.merge(p.actor)
		return
	}
	p.p.close(p.actor)
}

// Reopen opens the closed pull request at the commit its branch is at now.
func (p *Pull) Reopen() {
	defer p.lock()()
	if p.p.open() || p.p.merged || p.p.headRepo == nil || p.p.headRepo.branches[p.p.headRef] == "" {
		misuse("reopen %s: it is open, merged, or without its branch", p.p)
	}
	p.p.closed, p.p.closedAt = false, time.Time{}
	p.p.headSHA = p.p.headRepo.branches[p.p.headRef]
	p.p.testMerge()
	p.p.emit("reopened", nil, p.actor)
}

// SetDraft makes the pull request a draft or ready for review.
func (p *Pull) SetDraft(draft bool) {
	defer p.lock()()
	if p.p.draft == draft {
		return
	}
	p.p.draft = draft
	action := "ready_for_review"
	if draft {
		action = "converted_to_draft"
	}
	p.p.emit(action, nil, p.actor)
}

// SetTitle changes the title.
func (p *Pull) SetTitle(title string) {
	defer p.lock()()
	old := p.p.title
	p.p.title = title
	p.p.emit("edited", object{"changes": object{"title": object{"from": old}}}, p.actor)
}

// SetBody changes the description.
func (p *Pull) SetBody(body string) {
	defer p.lock()()
	old := p.p.body
	p.p.body = body
	p.p.emit("edited", object{"changes": object{"body": object{"from": old}}}, p.actor)
}

// SetBase changes the branch the pull request is to be merged into.
func (p *Pull) SetBase(branch string) {
	defer p.lock()()
	oldRef, oldSHA := p.p.baseRef, p.p.baseSHA
	p.p.baseRef, p.p.baseSHA = branch, p.p.repo.mustBranch(branch)
	p.p.testMerge()
	p.p.emit("edited", object{"changes": object{"base": object{"ref": object{"from": oldRef}, "sha": object{"from": oldSHA}}}}, p.actor)
}

// Label puts a label on, which is made when the repository has none of that name. GitHub lets only people with triage
// rights; the fake lets everybody, for the tests of who may.
func (p *Pull) Label(name string) {
	defer p.lock()()
	p.p.label(name, p.actor)
}

// Unlabel takes a label off.
func (p *Pull) Unlabel(name string) {
	defer p.lock()()
	p.p.unlabel(name, p.actor)
}

// Lock lets only people with write access comment.
func (p *Pull) Lock() { defer p.lock()(); p.p.locked = true }

func (p *pull) String() string     { return p.repo.fullName() + "#" + p.numberText() }
func (p *pull) numberText() string { return strconv.FormatInt(p.number, 10) }
func (p *pull) open() bool         { return !p.closed }

func (p *pull) state() string {
	if p.closed {
		return "closed"
	}
	return "open"
}

func (p *pull) synchronize(actor *Account, sha string) {
	before := p.headSHA
	p.headSHA, p.baseSHA = sha, cmp.Or(p.repo.branches[p.baseRef], p.baseSHA)
	p.testMerge()
	p.emit("synchronize", object{"before": before, "after": sha}, actor)
}

func (p *pull) close(actor *Account) {
	p.closed, p.closedAt = true, p.repo.s.now()
	p.emit("closed", nil, actor)
}

func (p *pull) merge(actor *Account) {
	n := p.repo.network
	base := p.repo.mustBranch(p.baseRef)
	files, clean := n.merge(base, p.headSHA)
	if !clean {
		misuse("merge %s: it conflicts with %s", p, p.baseRef)
	}
	message := "Merge pull request #" + p.numberText() + " from " + p.headOwner.login + "/" + p.headRef
	c := n.add([]string{base, p.headSHA}, files, actor, message, p.repo.s.now())
	p.merged, p.mergedBy, p.mergeSHA = true, actor, c.sha
	p.close(actor)
	p.repo.move(actor, p.baseRef, c.sha)
}

// testMerge forgets whether the pull request can be merged, as GitHub does until somebody asks.
func (p *pull) testMerge() {
	p.mergeAsked, p.mergeSHA, p.updated = false, "", p.repo.s.now()
}

// mergeable answers nil the first time after a change and starts the test merge, as GitHub does.
func (p *pull) mergeable() any {
	if p.closed {
		return nil
	}
	n := p.repo.network
	base := p.repo.branches[p.baseRef]
	if !p.mergeAsked || base == "" {
		p.mergeAsked = true
		return nil
	}
	files, clean := n.merge(base, p.headSHA)
	if clean && p.mergeSHA == "" {
		p.mergeSHA = n.add([]string{base, p.headSHA}, files, p.author, "Merge "+p.headSHA+" into "+base, p.updated).sha
	}
	return clean
}

func (p *pull) changes() []change {
	n := p.repo.network
	before := map[string]entry{}
	if c := n.mergeBase(p.baseTip(), p.headSHA); c != nil {
		before = c.files
	}
	return n.diff(before, n.commits[p.headSHA].files)
}

// baseTip is the commit of the base that the pull request is compared with.
func (p *pull) baseTip() string {
	if p.merged {
		return p.repo.network.commits[p.mergeSHA].parents[0]
	}
	return cmp.Or(p.repo.branches[p.baseRef], p.baseSHA)
}

func (p *pull) label(name string, actor *Account) {
	l := p.repo.labels[name]
	if l == nil {
		l = &label{p.repo.s.id(), name, "0e8a16"}
		p.repo.labels[name] = l
	}
	if !slices.Contains(p.labels, l) {
		p.labels = append(p.labels, l)
		p.emit("labeled", object{"label": p.repo.label(l)}, actor)
	}
}

func (p *pull) unlabel(name string, actor *Account) bool {
	for i, l := range p.labels {
		if l.name == name {
			p.labels = slices.Delete(slices.Clone(p.labels), i, i+1)
			p.emit("unlabeled", object{"label": p.repo.label(l)}, actor)
			return true
		}
	}
	return false
}

func (p *pull) emit(action string, more object, actor *Account) {
	p.updated = p.repo.s.now()
	p.note(action, more, actor)
	payload := object{"number": p.number, "pull_request": p.repo.s.pullWebhook(p)}
	maps.Copy(payload, more)
	p.repo.s.emit(p.repo, "pull_request", action, payload, actor)
}

// note keeps what the page tells of an event.
func (p *pull) note(action string, more object, actor *Account) {
	p.seen = append(p.seen, p.headSHA)
	var line string
	switch action {
	case "labeled", "unlabeled":
		verb := map[string]string{"labeled": "added", "unlabeled": "removed"}[action]
		line = verb + " the " + text(more["label"].(object)["name"]) + " label"
	case "closed":
		line = "closed this"
		if p.merged {
			line = "merged commit " + p.mergeSHA[:7] + " into " + p.baseRef
		}
	case "reopened":
		line = "reopened this"
	case "converted_to_draft":
		line = "marked this pull request as draft"
	case "ready_for_review":
		line = "marked this pull request as ready for review"
	case "synchronize":
		before, after := text(more["before"]), text(more["after"])
		if base := p.repo.network.mergeBase(before, after); base != nil && base.sha == before {
			return // the commits themselves are shown
		}
		line = "force-pushed the " + p.headRef + " branch from " + before[:7] + " to " + after[:7]
	default:
		return
	}
	p.events = append(p.events, pullEvent{p.updated, actor, line})
}
