package fakegithub

import (
	"fmt"
	"maps"
)

// The shapes of pull requests, issues and comments.

func (p *pull) htmlURL() string {
	kind := "pull"
	if p.plain {
		kind = "issues"
	}
	return fmt.Sprintf("%s/%s/%s/%d", p.repo.s.options.URL, p.repo.fullName(), kind, p.number)
}

func (r *Repo) label(l *label) object {
	return object{"id": l.id, "node_id": node("LA", l.id), "url": r.s.api("/repos/" + r.fullName() + "/labels/" + l.name),
		"name": l.name, "description": "", "color": l.color, "default": false}
}

func (p *pull) labelObjects() []any {
	list := []any{}
	for _, l := range p.labels {
		list = append(list, p.repo.label(l))
	}
	return list
}

// pullSimple is the shape in lists.
func (s *Server) pullSimple(p *pull) object {
	r := p.repo
	u := s.api(fmt.Sprintf("/repos/%s/pulls/%d", r.fullName(), p.number))
	issue := s.api(fmt.Sprintf("/repos/%s/issues/%d", r.fullName(), p.number))
	statuses := s.api("/repos/" + r.fullName() + "/statuses/" + p.headSHA)
	href := func(url string) object { return object{"href": url} }
	return object{
		"url": u, "id": p.id, "node_id": node("PR", p.id), "html_url": p.htmlURL(), "diff_url": p.htmlURL() + ".diff",
		"patch_url": p.htmlURL() + ".patch", "issue_url": issue, "number": p.number, "state": p.state(), "locked": p.locked,
		"title": p.title, "user": s.user(p.author), "body": orNil(p.body), "created_at": stamp(p.created),
		"updated_at": stamp(p.updated), "closed_at": stampOrNil(p.closedAt), "merged_at": mergedAt(p),
		"merge_commit_sha": orNil(p.mergeSHA), "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{},
		"requested_teams": []any{}, "labels": p.labelObjects(), "milestone": nil, "draft": p.draft,
		"commits_url": u + "/commits", "review_comments_url": u + "/comments",
		"review_comment_url": s.api("/repos/" + r.fullName() + "/pulls/comments{/number}"), "comments_url": issue + "/comments",
		"statuses_url": statuses, "author_association": r.association(p.author, false), "auto_merge": nil, "active_lock_reason": nil,
		"head": s.side(p.headRepo, p.headOwner, p.headRef, p.headSHA), "base": s.side(r, r.owner, p.baseRef, p.baseSHA),
		"_links": object{"self": href(u), "html": href(p.htmlURL()), "issue": href(issue), "comments": href(issue + "/comments"),
			"review_comments": href(u + "/comments"), "review_comment": href(s.api("/repos/" + r.fullName() + "/pulls/comments{/number}")),
			"commits": href(u + "/commits"), "statuses": href(statuses)},
	}
}

func mergedAt(p *pull) any {
	if !p.merged {
		return nil
	}
	return stamp(p.closedAt)
}

func (s *Server) side(r *Repo, owner *Account, ref, sha string) object {
	side := object{"label": owner.login + ":" + ref, "ref": ref, "sha": sha, "user": s.user(owner), "repo": nil}
	if r != nil {
		side["repo"] = s.repo(r)
	}
	return side
}

// pullFull is the shape of one pull request; asking for it starts the test merge.
func (s *Server) pullFull(p *pull) object {
	mergeable := p.mergeable()
	state := "unknown"
	switch {
	case mergeable == true && p.draft:
		state = "draft"
	case mergeable == true:
		state = "clean"
	case mergeable == false:
		state = "dirty"
	}
	o := s.pullSimple(p)
	changes := p.changes()
	additions, deletions := 0, 0
	for _, c := range changes {
		additions, deletions = additions+c.additions, deletions+c.removed
	}
	maps.Copy(o, object{
		"merged": p.merged, "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
		"merged_by": nilIfNone(s.user(p.mergedBy)), "comments": len(p.comments), "review_comments": 0,
		"maintainer_can_modify": p.headRepo != nil && p.headRepo != p.repo && p.open(),
		"commits":               len(p.repo.network.between(p.baseTip(), p.headSHA)), "additions": additions, "deletions": deletions,
		"changed_files": len(changes),
	})
	return o
}

// pullWebhook is the shape in webhooks, where the test merge is never known yet.
func (s *Server) pullWebhook(p *pull) object {
	asked := p.mergeAsked
	p.mergeAsked = false
	o := s.pullFull(p)
	p.mergeAsked = asked
	o["author_association"] = p.repo.association(p.author, true)
	return o
}

func (s *Server) issue(p *pull, webhook bool) object {
	r := p.repo
	u := s.api(fmt.Sprintf("/repos/%s/issues/%d", r.fullName(), p.number))
	o := object{
		"url": u, "repository_url": s.api("/repos/" + r.fullName()), "labels_url": u + "/labels{/name}", "comments_url": u + "/comments",
		"events_url": u + "/events", "html_url": p.htmlURL(), "id": p.id, "node_id": node("I", p.id), "number": p.number,
		"title": p.title, "user": s.user(p.author), "labels": p.labelObjects(), "state": p.state(), "locked": p.locked,
		"assignee": nil, "assignees": []any{}, "milestone": nil, "comments": len(p.comments), "created_at": stamp(p.created),
		"updated_at": stamp(p.updated), "closed_at": stampOrNil(p.closedAt), "author_association": r.association(p.author, webhook),
		"active_lock_reason": nil, "body": orNil(p.body), "timeline_url": u + "/timeline", "performed_via_github_app": nil,
		"state_reason": nil, "reactions": s.reactionCount(u, nil),
	}
	if !p.plain {
		o["draft"] = p.draft
		o["pull_request"] = object{"url": s.api(fmt.Sprintf("/repos/%s/pulls/%d", r.fullName(), p.number)), "html_url": p.htmlURL(),
			"diff_url": p.htmlURL() + ".diff", "patch_url": p.htmlURL() + ".patch", "merged_at": mergedAt(p)}
	}
	return o
}

func (s *Server) comment(c *comment, webhook bool) object {
	r := c.pull.repo
	u := s.api(fmt.Sprintf("/repos/%s/issues/comments/%d", r.fullName(), c.id))
	o := object{
		"url": u, "html_url": fmt.Sprintf("%s#issuecomment-%d", c.pull.htmlURL(), c.id),
		"issue_url": s.api(fmt.Sprintf("/repos/%s/issues/%d", r.fullName(), c.pull.number)), "id": c.id, "node_id": node("IC", c.id),
		"user": s.user(c.author), "created_at": stamp(c.created), "updated_at": stamp(c.updated),
		"author_association": r.association(c.author, webhook), "body": c.body, "reactions": s.reactionCount(u, c.reactions),
		"performed_via_github_app": nil,
	}
	if c.app != nil {
		o["performed_via_github_app"] = s.app(c.app)
	}
	return o
}

func (s *Server) reactionCount(url string, reactions []*reaction) object {
	o := object{"url": url + "/reactions", "total_count": len(reactions)}
	for _, content := range reactionContents() {
		o[content] = 0
	}
	for _, r := range reactions {
		o[r.content] = o[r.content].(int) + 1
	}
	return o
}

func reactionContents() []string {
	return []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}
}

func (s *Server) reaction(r *reaction) object {
	return object{"id": r.id, "node_id": node("REA", r.id), "user": s.user(r.author), "content": r.content, "created_at": stamp(r.created)}
}
