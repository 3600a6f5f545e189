package fakegithub

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const maxBody = 65536 // characters

type comment struct {
	pull             *pull
	id               int64
	author           *Account
	app              *App // when an App wrote it
	body             string
	created, updated time.Time
	reactions        []*reaction
}

type reaction struct {
	id      int64
	author  *Account
	content string
	created time.Time
}

// Comment is one comment as it is now.
type Comment struct {
	ID      int64     `json:"id"`
	Author  string    `json:"author"`
	Bot     bool      `json:"bot"`
	AppID   int64     `json:"app_id,omitempty"` // of the App that wrote it
	Body    string    `json:"body"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Comments returns the comments of the pull request, oldest first.
func (p *Pull) Comments() []Comment {
	defer p.lock()()
	list := []Comment{}
	for _, c := range p.p.comments {
		view := Comment{ID: c.id, Author: c.author.login, Bot: c.author.kind == "Bot", Body: c.body, Created: c.created, Updated: c.updated}
		if c.app != nil {
			view.AppID = c.app.id
		}
		list = append(list, view)
	}
	return list
}

// Reactions returns the reactions to a comment, oldest first, as GitHub names them: "eyes", "rocket" …
func (p *Pull) Reactions(id int64) []string {
	defer p.lock()()
	list := []string{}
	for _, r := range p.p.mustComment(id).reactions {
		list = append(list, r.content)
	}
	return list
}

// Comment writes a comment in the actor's name and returns its id.
func (p *Pull) Comment(body string) int64 {
	defer p.lock()()
	if problem := bodyProblem(body); problem != "" {
		misuse("comment on %s: %s", p.p, problem)
	}
	return p.p.comment(p.actor, p.actor.app, body).id
}

// CommentThrough writes a comment in the actor's name through an App that acts for them, and returns its id.
func (p *Pull) CommentThrough(app *App, body string) int64 {
	defer p.lock()()
	return p.p.comment(p.actor, app, body).id
}

// EditComment changes a comment, whoever wrote it: for a maintainer who edits the bot's.
func (p *Pull) EditComment(id int64, body string) {
	defer p.lock()()
	p.p.mustComment(id).edit(p.actor, body)
}

// DeleteComment deletes a comment, whoever wrote it.
func (p *Pull) DeleteComment(id int64) {
	defer p.lock()()
	p.p.mustComment(id).remove(p.actor)
}

func (p *pull) mustComment(id int64) *comment {
	for _, c := range p.comments {
		if c.id == id {
			return c
		}
	}
	misuse("comment %d of %s: there is none", id, p)
	return nil
}

func bodyProblem(body string) string {
	if strings.TrimSpace(body) == "" {
		return "Body cannot be blank"
	}
	if utf8.RuneCountInString(body) > maxBody {
		return "Body is too long (maximum is 65536 characters)"
	}
	return ""
}

func (p *pull) comment(author *Account, app *App, body string) *comment {
	s, now := p.repo.s, p.repo.s.now()
	c := &comment{pull: p, id: s.id(), author: author, app: app, body: body, created: now, updated: now}
	p.comments = append(p.comments, c)
	p.updated = now
	c.emit("created", nil, author)
	return c
}

func (c *comment) edit(actor *Account, body string) {
	old := c.body
	c.body, c.updated = body, c.pull.repo.s.now()
	c.emit("edited", object{"changes": object{"body": object{"from": old}}}, actor)
}

func (c *comment) remove(actor *Account) {
	c.pull.comments = slices.DeleteFunc(c.pull.comments, func(other *comment) bool { return other == c })
	c.emit("deleted", nil, actor)
}

func (c *comment) emit(action string, more object, actor *Account) {
	s := c.pull.repo.s
	payload := object{"issue": s.issue(c.pull, true), "comment": s.comment(c, true)}
	for key, value := range more {
		payload[key] = value
	}
	s.emit(c.pull.repo, "issue_comment", action, payload, actor)
}
