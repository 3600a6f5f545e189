package fakegithub

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The operations about pull requests and labels.

func (r *Repo) sortedPulls(keep func(*pull) bool) []*pull {
	var list []*pull
	for _, p := range r.pulls {
		if !p.plain && keep(p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pull) int { return cmp.Compare(b.number, a.number) })
	return list
}

func listPulls(c *call) *answer {
	query := c.r.URL.Query()
	state := cmp.Or(query.Get("state"), "open")
	list := c.repo.sortedPulls(func(p *pull) bool {
		head := query.Get("head")
		return (state == "all" || state == p.state()) && (query.Get("base") == "" || query.Get("base") == p.baseRef) &&
			(head == "" || strings.EqualFold(head, p.headOwner.login+":"+p.headRef))
	})
	key := func(p *pull) int64 { return p.number }
	if query.Get("sort") == "updated" {
		key = func(p *pull) int64 { return p.updated.UnixNano() }
	}
	slices.SortStableFunc(list, func(a, b *pull) int { return cmp.Compare(key(b), key(a)) })
	if query.Get("direction") == "asc" {
		slices.Reverse(list)
	}
	return page(c, list, c.s.pullSimple)
}

func createPull(c *call) *answer {
	head := c.repo
	branch := c.text("head")
	if owner, name, cross := strings.Cut(branch, ":"); cross {
		branch = name
		head = nil
		for _, r := range c.s.repos {
			if r.network == c.repo.network && strings.EqualFold(r.owner.login, owner) && !r.deleted {
				head = r
			}
		}
	}
	if head == nil || head.branches[branch] == "" {
		return invalid("PullRequest", "invalid", "head", "")
	}
	if !head.atLeast(c.who.account, "write") && c.who.kind == "user" {
		return fail(http.StatusForbidden, "Must have write rights to the head repository.")
	}
	draft, _ := c.body["draft"].(bool)
	p, problem := c.repo.openPull(c.text("title"), c.text("body"), c.who.account, head, branch, c.text("base"), draft)
	if problem != "" {
		return invalid("PullRequest", "custom", "base", problem)
	}
	return &answer{status: http.StatusCreated, body: c.s.pullFull(p)}
}

func (c *call) pull() *pull {
	p := c.repo.pulls[c.number("pull_number")]
	if p == nil || p.plain {
		return nil
	}
	return p
}

func getPull(c *call) *answer {
	if p := c.pull(); p != nil {
		return ok(c.s.pullFull(p))
	}
	return notFound()
}

func updatePull(c *call) *answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	if c.who.kind == "user" && c.who.account != p.author && !c.repo.atLeast(c.who.account, "write") {
		return fail(http.StatusForbidden, "Must have write rights to Repository.")
	}
	if title := c.text("title"); title != "" && title != p.title {
		old := p.title
		p.title = title
		p.emit("edited", object{"changes": object{"title": object{"from": old}}}, c.who.account)
	}
	if body, given := c.body["body"].(string); given && body != p.body {
		old := p.body
		p.body = body
		p.emit("edited", object{"changes": object{"body": object{"from": old}}}, c.who.account)
	}
	if c.text("state") == "closed" && p.open() {
		p.close(c.who.account)
	}
	return ok(c.s.pullFull(p))
}

// listPullFiles stops at 3,000 files, as GitHub does.
func listPullFiles(c *call) *answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	changes := p.changes()
	return page(c, changes[:min(len(changes), 3000)], func(ch change) object {
		return c.repo.fileObjects([]change{ch}, p.headSHA)[0].(object)
	})
}

// listPullCommits stops at 250 commits, as GitHub does.
func listPullCommits(c *call) *answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	list := c.repo.network.between(p.baseTip(), p.headSHA)
	return page(c, list[:min(len(list), 250)], c.repo.commitObject)
}

func (c *call) issue() *pull { return c.repo.pulls[c.number("issue_number")] }

func getIssue(c *call) *answer {
	if p := c.issue(); p != nil {
		return ok(c.s.issue(p, false))
	}
	return notFound()
}

func listLabels(c *call) *answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	return page(c, p.labels, c.repo.label)
}

func addLabels(c *call) *answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	list, _ := c.body["labels"].([]any)
	for _, v := range list {
		name := text(v)
		if o, isObject := v.(object); isObject {
			name = text(o["name"])
		}
		p.label(name, c.who.account)
	}
	return ok(p.labelObjects())
}

func removeLabel(c *call) *answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	if !p.unlabel(c.path.Params["name"], c.who.account) {
		return fail(http.StatusNotFound, fmt.Sprintf("Label does not exist: %s", c.path.Params["name"]))
	}
	return ok(p.labelObjects())
}
