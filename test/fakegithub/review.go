package fakegithub

import "fmt"

// Review submits a review of the pull request at its head in the actor's name. state is "approved", "changes_requested" or "commented".
func (p *Pull) Review(state, body string) {
	defer p.lock()()
	s, r := p.p.repo.s, p.p.repo
	id := s.id()
	html := fmt.Sprintf("%s#pullrequestreview-%d", p.p.htmlURL(), id)
	u := s.api(fmt.Sprintf("/repos/%s/pulls/%d", r.fullName(), p.p.number))
	pr := s.pullSimple(p.p)
	pr["author_association"] = r.association(p.p.author, true)
	s.emit(r, "pull_request_review", "submitted", object{
		"review": object{
			"id": id, "node_id": node("PRR", id), "user": s.user(p.actor), "body": orNil(body), "commit_id": p.p.headSHA, "submitted_at": stamp(s.now()),
			"state": state, "html_url": html, "pull_request_url": u, "author_association": r.association(p.actor, true),
			"_links": object{"html": object{"href": html}, "pull_request": object{"href": u}},
		},
		"pull_request": pr,
	}, p.actor)
}
