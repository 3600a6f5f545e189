package fakegithub

import (
	"fmt"
	"maps"
)

// The shapes of commits, trees, statuses, check runs, deployments and workflow runs.

func (s *Server) person(c *commit) object {
	return object{"name": c.author.login, "email": c.author.email(), "date": stamp(c.when)}
}

func unsigned() object {
	return object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

func (r *Repo) commitURL(sha string) string {
	return r.s.api("/repos/" + r.fullName() + "/commits/" + sha)
}
func (r *Repo) gitURL(kind, sha string) string {
	return r.s.api("/repos/" + r.fullName() + "/git/" + kind + "/" + sha)
}
func (r *Repo) html(path string) string { return r.s.options.URL + "/" + r.fullName() + path }

func (r *Repo) parents(c *commit, git bool) []any {
	list := []any{}
	for _, sha := range c.parents {
		u := r.commitURL(sha)
		if git {
			u = r.gitURL("commits", sha)
		}
		list = append(list, object{"sha": sha, "url": u, "html_url": r.html("/commit/" + sha)})
	}
	return list
}

func (r *Repo) gitCommit(c *commit) object {
	return object{"sha": c.sha, "node_id": node("C", c.sha), "url": r.gitURL("commits", c.sha), "html_url": r.html("/commit/" + c.sha),
		"author": r.s.person(c), "committer": r.s.person(c), "tree": object{"sha": c.tree, "url": r.gitURL("trees", c.tree)},
		"message": c.message, "parents": r.parents(c, true), "verification": unsigned()}
}

func (r *Repo) commitObject(c *commit) object {
	return object{"sha": c.sha, "node_id": node("C", c.sha), "url": r.commitURL(c.sha), "html_url": r.html("/commit/" + c.sha),
		"comments_url": r.commitURL(c.sha) + "/comments", "author": r.s.user(c.author), "committer": r.s.user(c.author),
		"parents": r.parents(c, false),
		"commit": object{"url": r.gitURL("commits", c.sha), "author": r.s.person(c), "committer": r.s.person(c), "message": c.message,
			"tree": object{"sha": c.tree, "url": r.gitURL("trees", c.tree)}, "comment_count": 0, "verification": unsigned()}}
}

func (r *Repo) fileObjects(changes []change, sha string) []any {
	list := []any{}
	for _, c := range changes {
		o := object{"sha": c.sha, "filename": c.name, "status": c.status, "additions": c.additions, "deletions": c.removed,
			"changes": c.additions + c.removed, "blob_url": r.html("/blob/" + sha + "/" + c.name),
			"raw_url":      r.html("/raw/" + sha + "/" + c.name),
			"contents_url": r.s.api("/repos/" + r.fullName() + "/contents/" + c.name + "?ref=" + sha)}
		if c.patch != "" {
			o["patch"] = c.patch
		}
		list = append(list, o)
	}
	return list
}

func (r *Repo) status(st *status) object {
	return object{"url": r.s.api("/repos/" + r.fullName() + "/statuses/" + st.sha), "avatar_url": r.s.user(st.creator)["avatar_url"],
		"id": st.id, "node_id": node("SC", st.id), "state": st.state, "description": st.description, "target_url": st.targetURL,
		"context": st.context, "created_at": stamp(st.created), "updated_at": stamp(st.created), "creator": r.s.user(st.creator)}
}

func (r *Repo) check(c *checkRun) object {
	u := r.s.api(fmt.Sprintf("/repos/%s/check-runs/%d", r.fullName(), c.id))
	output := object{"title": nil, "summary": nil, "text": nil}
	if given, ok := c.fields["output"].(map[string]any); ok {
		for key := range output {
			if v, ok := given[key]; ok {
				output[key] = v
			}
		}
	}
	output["annotations_count"], output["annotations_url"] = c.annotations, u+"/annotations"
	branch := any(nil)
	for name, sha := range r.branches {
		if sha == c.sha {
			branch = name
		}
	}
	details := c.fields["details_url"]
	if details == nil {
		details = c.app.s.options.URL
	}
	return object{"id": c.id, "node_id": node("CR", c.id), "head_sha": c.sha, "external_id": text(c.fields["external_id"]), "url": u,
		"html_url": r.html(fmt.Sprintf("/runs/%d", c.id)), "details_url": details, "status": c.status,
		"conclusion": c.conclusion, "started_at": orValue(c.fields["started_at"], stamp(c.created)),
		"completed_at": c.fields["completed_at"], "output": output, "name": c.name, "app": r.s.app(c.app),
		"check_suite": object{"id": c.suite, "node_id": node("CS", c.suite), "head_branch": branch, "head_sha": c.sha,
			"status": c.status, "conclusion": c.conclusion, "url": r.s.api(fmt.Sprintf("/repos/%s/check-suites/%d", r.fullName(), c.suite)),
			"before": nil, "after": c.sha, "pull_requests": r.pullsAt(c.sha), "app": r.s.app(c.app),
			"created_at": stamp(c.created), "updated_at": stamp(c.created)},
		"pull_requests": r.pullsAt(c.sha)}
}

func orValue(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

// pullsAt lists the open pull requests at a commit; GitHub's checks see none from forks.
func (r *Repo) pullsAt(sha string) []any {
	list := []any{}
	lite := func(r *Repo) object {
		return object{"id": r.id, "url": r.s.api("/repos/" + r.fullName()), "name": r.name}
	}
	for _, p := range r.pulls {
		if p.headSHA == sha && p.headRepo == r && p.open() && !p.plain {
			list = append(list, object{"id": p.id, "number": p.number, "url": r.s.api(fmt.Sprintf("/repos/%s/pulls/%d", r.fullName(), p.number)),
				"head": object{"ref": p.headRef, "sha": p.headSHA, "repo": lite(r)},
				"base": object{"ref": p.baseRef, "sha": p.baseSHA, "repo": lite(r)}})
		}
	}
	return list
}

func (r *Repo) deployment(d *deployment) object {
	u := r.s.api(fmt.Sprintf("/repos/%s/deployments/%d", r.fullName(), d.id))
	o := object{"id": d.id, "node_id": node("DE", d.id), "url": u, "sha": d.sha, "creator": r.s.user(d.creator),
		"created_at": stamp(d.created), "updated_at": stamp(d.updated), "statuses_url": u + "/statuses",
		"repository_url": r.s.api("/repos/" + r.fullName()), "performed_via_github_app": viaApp(d.app),
		"original_environment": d.fields["environment"]}
	maps.Copy(o, d.fields)
	return o
}

func (r *Repo) deploymentStatus(d *deployment, st *deploymentStatus) object {
	u := r.s.api(fmt.Sprintf("/repos/%s/deployments/%d", r.fullName(), d.id))
	o := object{"id": st.id, "node_id": node("DES", st.id), "url": fmt.Sprintf("%s/statuses/%d", u, st.id), "creator": r.s.user(st.creator),
		"created_at": stamp(st.created), "updated_at": stamp(st.created), "deployment_url": u, "description": "", "target_url": "",
		"log_url": "", "environment_url": "", "environment": d.fields["environment"],
		"repository_url": r.s.api("/repos/" + r.fullName()), "performed_via_github_app": viaApp(st.app)}
	maps.Copy(o, st.fields)
	if o["log_url"] != "" {
		o["target_url"] = o["log_url"]
	}
	return o
}

func viaApp(a *App) any {
	if a == nil {
		return nil
	}
	return a.s.app(a)
}

func (r *Repo) workflow(run *workflowRun) object {
	id := 1000 + int64(len(run.name))
	return object{"id": id, "node_id": node("W", id), "name": run.name, "path": ".github/workflows/ci.yaml", "state": "active",
		"created_at": stamp(r.created), "updated_at": stamp(r.created), "url": r.s.api(fmt.Sprintf("/repos/%s/actions/workflows/%d", r.fullName(), id)),
		"html_url": r.html("/blob/main/.github/workflows/ci.yaml"), "badge_url": r.html("/workflows/ci/badge.svg")}
}

func (r *Repo) run(run *workflowRun) object {
	u := r.s.api(fmt.Sprintf("/repos/%s/actions/runs/%d", r.fullName(), run.id))
	c := r.network.commits[run.sha]
	w := r.workflow(run)
	return object{"id": run.id, "name": run.name, "node_id": node("WFR", run.id), "check_suite_id": run.id + 1,
		"check_suite_node_id": node("CS", run.id+1), "head_branch": run.branch, "head_sha": run.sha, "path": w["path"],
		"run_number": run.number, "run_attempt": 1, "display_title": c.message, "event": run.event, "status": run.status,
		"conclusion": run.conclusion, "workflow_id": w["id"], "workflow_url": w["url"], "url": u,
		"html_url": r.html(fmt.Sprintf("/actions/runs/%d", run.id)), "pull_requests": r.pullsAt(run.sha),
		"created_at": stamp(run.created), "updated_at": stamp(run.updated), "run_started_at": stamp(run.created),
		"actor": r.s.user(c.author), "triggering_actor": r.s.user(c.author), "jobs_url": u + "/jobs", "logs_url": u + "/logs",
		"check_suite_url": r.s.api(fmt.Sprintf("/repos/%s/check-suites/%d", r.fullName(), run.id+1)), "artifacts_url": u + "/artifacts",
		"cancel_url": u + "/cancel", "rerun_url": u + "/rerun", "previous_attempt_url": nil, "referenced_workflows": []any{},
		"head_commit": object{"id": c.sha, "tree_id": c.tree, "message": c.message, "timestamp": stamp(c.when),
			"author":    object{"name": c.author.login, "email": c.author.email()},
			"committer": object{"name": c.author.login, "email": c.author.email()}},
		"repository": r.s.repo(r), "head_repository": r.s.repo(r)}
}
