package fakegithub

import (
	"cmp"
	"net/http"
	"slices"
)

// The operations about comments and reactions.

func listComments(c *call) *answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	since := c.r.URL.Query().Get("since")
	list := slices.DeleteFunc(slices.Clone(p.comments), func(x *comment) bool { return since != "" && stamp(x.updated) < since })
	return page(c, list, func(x *comment) object { return c.s.comment(x, false) })
}

func listRepoComments(c *call) *answer {
	var list []*comment
	for _, p := range c.repo.pulls {
		list = append(list, p.comments...)
	}
	slices.SortFunc(list, func(a, b *comment) int { return cmp.Compare(a.id, b.id) })
	if c.r.URL.Query().Get("direction") == "desc" {
		slices.Reverse(list)
	}
	return page(c, list, func(x *comment) object { return c.s.comment(x, false) })
}

func (c *call) comment() *comment {
	id := c.number("comment_id")
	for _, p := range c.repo.pulls {
		for _, x := range p.comments {
			if x.id == id {
				return x
			}
		}
	}
	return nil
}

func getComment(c *call) *answer {
	if x := c.comment(); x != nil {
		return ok(c.s.comment(x, false))
	}
	return notFound()
}

func (c *call) bodyRefusal() *answer {
	switch problem := bodyProblem(c.text("body")); problem {
	case "":
		return nil
	case "Body cannot be blank":
		return invalid("IssueComment", "unprocessable", "data", problem)
	default:
		return invalid("IssueComment", "custom", "body", problem)
	}
}

func createComment(c *call) *answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	if p.locked && (c.who.kind != "user" || !c.repo.atLeast(c.who.account, "write")) {
		return fail(http.StatusForbidden, "Unable to create comment because issue is locked.")
	}
	if refusal := c.bodyRefusal(); refusal != nil {
		return refusal
	}
	x := p.comment(c.who.account, c.who.app, c.text("body"))
	o := c.s.comment(x, false)
	return &answer{status: http.StatusCreated, body: o, header: http.Header{"Location": {o["url"].(string)}}}
}

// mayChange is GitHub's rule: the author, and whoever may write to the repository, an App included.
func (c *call) mayChange(x *comment) bool {
	return x.author == c.who.account || c.who.kind == "installation" || c.repo.atLeast(c.who.account, "write")
}

func updateComment(c *call) *answer {
	x := c.comment()
	if x == nil {
		return notFound()
	}
	if !c.mayChange(x) {
		return fail(http.StatusForbidden, "Must have write rights to Repository.")
	}
	if refusal := c.bodyRefusal(); refusal != nil {
		return refusal
	}
	x.edit(c.who.account, c.text("body"))
	return ok(c.s.comment(x, false))
}

func deleteComment(c *call) *answer {
	x := c.comment()
	if x == nil {
		return notFound()
	}
	if !c.mayChange(x) {
		return fail(http.StatusForbidden, "Must have write rights to Repository.")
	}
	x.remove(c.who.account)
	return &answer{status: http.StatusNoContent}
}

func listReactions(c *call) *answer {
	x := c.comment()
	if x == nil {
		return notFound()
	}
	content := c.r.URL.Query().Get("content")
	list := slices.DeleteFunc(slices.Clone(x.reactions), func(r *reaction) bool { return content != "" && r.content != content })
	return page(c, list, c.s.reaction)
}

// createReaction answers 200 with the old one when the account has reacted so before.
func createReaction(c *call) *answer {
	x := c.comment()
	if x == nil {
		return notFound()
	}
	for _, r := range x.reactions {
		if r.author == c.who.account && r.content == c.text("content") {
			return ok(c.s.reaction(r))
		}
	}
	r := &reaction{c.s.id(), c.who.account, c.text("content"), c.s.now()}
	x.reactions = append(x.reactions, r)
	return &answer{status: http.StatusCreated, body: c.s.reaction(r)}
}

func deleteReaction(c *call) *answer {
	x := c.comment()
	if x == nil {
		return notFound()
	}
	for i, r := range x.reactions {
		if r.id == c.number("reaction_id") && (r.author == c.who.account || c.repo.atLeast(c.who.account, "write")) {
			x.reactions = slices.Delete(x.reactions, i, i+1)
			return &answer{status: http.StatusNoContent}
		}
	}
	return notFound()
}
