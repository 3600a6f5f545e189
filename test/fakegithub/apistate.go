package fakegithub

import (
	"cmp"
	"net/http"
	"slices"
	"unicode/utf8"
)

// The operations about statuses, check runs, deployments and workflow runs.

func createStatus(c *call) *answer {
	sha := c.path.Params["sha"]
	if c.repo.network.commits[sha] == nil {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
	}
	st := &status{id: c.s.id(), sha: sha, state: c.text("state"), context: cmp.Or(c.text("context"), "default"),
		description: c.body["description"], targetURL: c.body["target_url"], creator: c.who.account, created: c.s.now()}
	if utf8.RuneCountInString(text(st.description)) > 140 {
		return invalid("Status", "custom", "description", "description is too long (maximum is 140 characters)")
	}
	c.repo.statuses = append(c.repo.statuses, st)
	return &answer{status: http.StatusCreated, body: c.repo.status(st)}
}

// statusesAt lists the newest first.
func (r *Repo) statusesAt(sha string) []*status {
	list := slices.DeleteFunc(slices.Clone(r.statuses), func(st *status) bool { return st.sha != sha })
	slices.Reverse(list)
	return list
}

func listStatuses(c *call) *answer {
	at := c.repo.resolve(c.path.Params["ref"])
	if at == nil {
		return notFound()
	}
	return page(c, c.repo.statusesAt(at.sha), c.repo.status)
}

func getCombinedStatus(c *call) *answer {
	at := c.repo.resolve(c.path.Params["ref"])
	if at == nil {
		return notFound()
	}
	state, seen, list := "success", map[string]bool{}, []any{}
	for _, st := range c.repo.statusesAt(at.sha) {
		if seen[st.context] {
			continue
		}
		seen[st.context] = true
		o := c.repo.status(st)
		o["required"] = false
		list = append(list, o)
		switch {
		case st.state == "failure" || st.state == "error":
			state = "failure"
		case st.state == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(list) == 0 {
		state = "pending"
	}
	u := c.repo.commitURL(at.sha)
	return ok(object{"state": state, "sha": at.sha, "total_count": len(list), "statuses": list, "repository": c.s.repo(c.repo),
		"commit_url": u, "url": u + "/status"})
}

func createCheck(c *call) *answer {
	if c.who.kind != "installation" {
		return fail(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	if c.repo.network.commits[c.text("head_sha")] == nil {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.text("head_sha"))
	}
	run := &checkRun{id: c.s.id(), suite: c.s.id(), app: c.who.app, sha: c.text("head_sha"), name: c.text("name"), status: "queued",
		fields: object{}, created: c.s.now()}
	if refusal := run.set(c); refusal != nil {
		return refusal
	}
	c.repo.checks = append(c.repo.checks, run)
	c.s.emitTo(run.app, c.repo, "check_run", "created", object{"check_run": c.repo.check(run)}, c.who.account)
	return &answer{status: http.StatusCreated, body: c.repo.check(run)}
}

func (run *checkRun) set(c *call) *answer {
	if output, given := c.body["output"].(object); given {
		for _, field := range []string{"summary", "text"} {
			if utf8.RuneCountInString(text(output[field])) > 65535 {
				return invalid("CheckRun", "custom", field, field+" exceeds a maximum bytesize of 65535")
			}
		}
		annotations, _ := output["annotations"].([]any)
		run.annotations += len(annotations)
	}
	for _, field := range []string{"details_url", "external_id", "output", "started_at", "completed_at"} {
		if v, given := c.body[field]; given {
			run.fields[field] = v
		}
	}
	if actions, given := c.body["actions"].([]any); given {
		run.actions = actions
	}
	run.name = cmp.Or(c.text("name"), run.name)
	run.status = cmp.Or(c.text("status"), run.status)
	if conclusion := c.text("conclusion"); conclusion != "" {
		run.conclusion, run.status = conclusion, "completed"
	} else if run.status != "completed" {
		run.conclusion = nil
	}
	if run.status == "completed" && run.fields["completed_at"] == nil {
		run.fields["completed_at"] = stamp(c.s.now())
	}
	return nil
}

func (c *call) check() *checkRun {
	for _, run := range c.repo.checks {
		if run.id == c.number("check_run_id") {
			return run
		}
	}
	return nil
}

func getCheck(c *call) *answer {
	if run := c.check(); run != nil {
		return ok(c.repo.check(run))
	}
	return notFound()
}

func updateCheck(c *call) *answer {
	run := c.check()
	if run == nil {
		return notFound()
	}
	if run.app != c.who.app {
		return fail(http.StatusForbidden, "Invalid app_id `"+c.who.limitKey()+"` - check run can only be modified by the GitHub App that created it.")
	}
	before := run.status
	if refusal := run.set(c); refusal != nil {
		return refusal
	}
	if run.status == "completed" && before != "completed" {
		c.s.emitTo(run.app, c.repo, "check_run", "completed", object{"check_run": c.repo.check(run)}, c.who.account)
	}
	return ok(c.repo.check(run))
}

func listChecks(c *call) *answer {
	at := c.repo.resolve(c.path.Params["ref"])
	if at == nil {
		return notFound()
	}
	query := c.r.URL.Query()
	list := slices.DeleteFunc(slices.Clone(c.repo.checks), func(run *checkRun) bool {
		return run.sha != at.sha || query.Get("check_name") != "" && run.name != query.Get("check_name") ||
			query.Get("status") != "" && run.status != query.Get("status")
	})
	slices.Reverse(list)
	return wrapped(c, "check_runs", list, c.repo.check)
}

func listDeployments(c *call) *answer {
	query := c.r.URL.Query()
	list := slices.DeleteFunc(slices.Clone(c.repo.deployments), func(d *deployment) bool {
		return query.Get("sha") != "" && query.Get("sha") != d.sha ||
			query.Get("environment") != "" && query.Get("environment") != text(d.fields["environment"]) ||
			query.Get("ref") != "" && query.Get("ref") != text(d.fields["ref"]) ||
			query.Get("task") != "" && query.Get("task") != text(d.fields["task"])
	})
	slices.Reverse(list)
	return page(c, list, c.repo.deployment)
}

// createDeployment has GitHub's biting defaults: it merges the base branch in unless auto_merge is false, and wants
// every status and check of the commit to be good unless required_contexts is empty.
func createDeployment(c *call) *answer {
	at := c.repo.resolve(c.text("ref"))
	if at == nil {
		return fail(http.StatusUnprocessableEntity, "No ref found for: "+c.text("ref"))
	}
	if utf8.RuneCountInString(c.text("description")) > 140 {
		return invalid("Deployment", "custom", "description", "description is too long (maximum is 140 characters)")
	}
	merge, given := c.body["auto_merge"].(bool)
	base := c.repo.branches[c.repo.defaultBranch]
	if (merge || !given) && len(c.repo.network.between(at.sha, base)) > 0 {
		return c.autoMerge(at, base)
	}
	contexts, given := c.body["required_contexts"].([]any)
	if !given || len(contexts) > 0 {
		for _, st := range c.repo.statusesAt(at.sha) {
			if st.state != "success" {
				return fail(http.StatusConflict, "Conflict: Commit status checks failed for "+c.text("ref")+".")
			}
		}
	}
	production := cmp.Or(c.text("environment"), "production") == "production"
	fields := object{"ref": c.text("ref"), "task": cmp.Or(c.text("task"), "deploy"), "payload": object{},
		"environment": cmp.Or(c.text("environment"), "production"), "description": nil, "transient_environment": false,
		"production_environment": production}
	for name := range fields {
		if v, given := c.body[name]; given {
			fields[name] = v
		}
	}
	d := &deployment{id: c.s.id(), sha: at.sha, fields: fields, creator: c.who.account, app: c.who.app, created: c.s.now(), updated: c.s.now()}
	c.repo.deployments = append(c.repo.deployments, d)
	c.repo.environmentOf(text(fields["environment"]))
	c.s.emit(c.repo, "deployment", "created", object{"deployment": c.repo.deployment(d), "workflow": nil, "workflow_run": nil}, c.who.account)
	return &answer{status: http.StatusCreated, body: c.repo.deployment(d)}
}

// autoMerge merges the default branch into the branch deployed, which is the trap: the developer's branch has moved.
func (c *call) autoMerge(at *commit, base string) *answer {
	files, clean := c.repo.network.merge(at.sha, base)
	branch := c.text("ref")
	if !clean || c.repo.branches[branch] == "" {
		return fail(http.StatusConflict, "Conflict merging "+c.repo.defaultBranch+" into "+branch)
	}
	merged := c.repo.network.add([]string{at.sha, base}, files, c.who.account, "Merge "+c.repo.defaultBranch+" into "+branch, c.s.now())
	c.repo.move(c.who.account, branch, merged.sha)
	return &answer{status: http.StatusAccepted, body: object{"message": "Auto-merged " + c.repo.defaultBranch + " into " + branch + " on deployment."}}
}

func (c *call) deployment() *deployment {
	for _, d := range c.repo.deployments {
		if d.id == c.number("deployment_id") {
			return d
		}
	}
	return nil
}

func getDeployment(c *call) *answer {
	if d := c.deployment(); d != nil {
		return ok(c.repo.deployment(d))
	}
	return notFound()
}

// deleteDeployment wants the deployment inactive, unless it is the only one.
func deleteDeployment(c *call) *answer {
	d := c.deployment()
	if d == nil {
		return notFound()
	}
	active := len(d.statuses) == 0 || text(d.statuses[len(d.statuses)-1].fields["state"]) != "inactive"
	if active && len(c.repo.deployments) > 1 {
		return fail(http.StatusUnprocessableEntity, "We cannot delete an active deployment unless it is the only deployment in a given environment.")
	}
	c.repo.deployments = slices.DeleteFunc(c.repo.deployments, func(other *deployment) bool { return other == d })
	return &answer{status: http.StatusNoContent}
}

func listDeploymentStatuses(c *call) *answer {
	d := c.deployment()
	if d == nil {
		return notFound()
	}
	list := slices.Clone(d.statuses)
	slices.Reverse(list)
	return page(c, list, func(st *deploymentStatus) object { return c.repo.deploymentStatus(d, st) })
}

func createDeploymentStatus(c *call) *answer {
	d := c.deployment()
	if d == nil {
		return notFound()
	}
	if utf8.RuneCountInString(c.text("description")) > 140 {
		return invalid("DeploymentStatus", "custom", "description", "description is too long (maximum is 140 characters)")
	}
	add := func(d *deployment, fields object) *deploymentStatus {
		st := &deploymentStatus{id: c.s.id(), fields: fields, creator: c.who.account, app: c.who.app, created: c.s.now()}
		d.statuses, d.updated = append(d.statuses, st), c.s.now()
		c.s.emit(c.repo, "deployment_status", "created", object{"deployment": c.repo.deployment(d),
			"deployment_status": c.repo.deploymentStatus(d, st), "check_run": nil, "workflow": nil, "workflow_run": nil}, c.who.account)
		return st
	}
	fields := object{}
	for _, name := range []string{"state", "description", "log_url", "environment_url", "environment", "target_url"} {
		if v, given := c.body[name]; given {
			fields[name] = v
		}
	}
	st := add(d, fields)
	if auto, given := c.body["auto_inactive"].(bool); c.text("state") == "success" && (auto || !given) {
		for _, other := range c.repo.deployments {
			// GitHub leaves transient environments alone.
			if other != d && other.fields["environment"] == d.fields["environment"] && other.fields["transient_environment"] != true &&
				other.fields["production_environment"] != true && len(other.statuses) > 0 &&
				text(other.statuses[len(other.statuses)-1].fields["state"]) == "success" {
				add(other, object{"state": "inactive"})
			}
		}
	}
	return &answer{status: http.StatusCreated, body: c.repo.deploymentStatus(d, st)}
}

func listRuns(c *call) *answer {
	query := c.r.URL.Query()
	list := slices.DeleteFunc(slices.Clone(c.repo.runs), func(run *workflowRun) bool {
		want := query.Get("status")
		return query.Get("head_sha") != "" && query.Get("head_sha") != run.sha ||
			query.Get("branch") != "" && query.Get("branch") != run.branch ||
			query.Get("event") != "" && query.Get("event") != run.event ||
			want != "" && want != run.status && want != text(run.conclusion)
	})
	slices.Reverse(list)
	return wrapped(c, "workflow_runs", list, c.repo.run)
}

func getRun(c *call) *answer {
	for _, run := range c.repo.runs {
		if run.id == c.number("run_id") {
			return ok(c.repo.run(run))
		}
	}
	return notFound()
}
