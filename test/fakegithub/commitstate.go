package fakegithub

import (
	"encoding/json"
	"time"
)

// status is a commit status.
type status struct {
	id                     int64
	sha, state, context    string
	description, targetURL any
	creator                *Account
	created                time.Time
}

// checkRun is a check run of an App; its fields are as the App gave them.
type checkRun struct {
	id, suite   int64
	app         *App
	sha, name   string
	status      string
	conclusion  any
	fields      object // details_url, external_id, output, started_at, completed_at
	actions     []any
	created     time.Time
	annotations int
}

// deployment is a deployment with its statuses, oldest first.
type deployment struct {
	id       int64
	sha      string
	fields   object // ref, task, environment, description, payload, transient_environment, production_environment
	creator  *Account
	app      *App
	created  time.Time
	updated  time.Time
	statuses []*deploymentStatus
}

type deploymentStatus struct {
	id      int64
	fields  object
	creator *Account
	app     *App
	created time.Time
}

// workflowRun is a run of GitHub Actions.
type workflowRun struct {
	id, number                 int64
	name                       string
	sha, branch, event, status string
	conclusion                 any
	created, updated           time.Time
}

// DeploymentView is one deployment as it is now.
type DeploymentView struct {
	ID          int64  `json:"id"`
	SHA         string `json:"sha"`
	Environment string `json:"environment"`
	State       string `json:"state"` // of the newest status, empty without one
	URL         string `json:"url"`   // environment_url of the newest status
}

// Deployments returns the repository's deployments, oldest first.
func (r *Repo) Deployments() []DeploymentView {
	defer r.lock()()
	list := []DeploymentView{}
	for _, d := range r.deployments {
		view := DeploymentView{ID: d.id, SHA: d.sha, Environment: text(d.fields["environment"])}
		if n := len(d.statuses); n > 0 {
			view.State = text(d.statuses[n-1].fields["state"])
			view.URL = text(d.statuses[n-1].fields["environment_url"])
		}
		list = append(list, view)
	}
	return list
}

// CheckView is one check run or commit status as it is now.
type CheckView struct {
	ID         int64  `json:"id"`
	SHA        string `json:"sha"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Title      string `json:"title"`
	Summary    string `json:"summary"`
	Details    string `json:"details"` // details_url

	Annotations []AnnotationView `json:"annotations"`
}

// AnnotationView is a remark of a check run on a line of a file.
type AnnotationView struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// Checks returns the repository's check runs, oldest first.
func (r *Repo) Checks() []CheckView {
	defer r.lock()()
	list := []CheckView{}
	for _, c := range r.checks {
		output, _ := c.fields["output"].(map[string]any)
		list = append(list, CheckView{ID: c.id, SHA: c.sha, Name: c.name, Status: c.status, Conclusion: text(c.conclusion),
			Title: text(output["title"]), Summary: text(output["summary"]), Details: text(c.fields["details_url"]), Annotations: remarks(output)})
	}
	return list
}

// remarks are those that the App gave with the output.
func remarks(output map[string]any) []AnnotationView {
	list := []AnnotationView{}
	given, _ := output["annotations"].([]any)
	for _, one := range given {
		o, _ := one.(map[string]any)
		number, _ := o["start_line"].(json.Number)
		line, _ := number.Int64()
		list = append(list, AnnotationView{Path: text(o["path"]), Line: int(line), Message: text(o["message"])})
	}
	return list
}

// RequestAction is a person pressing a button of a check run.
func (r *Repo) RequestAction(check int64, identifier string, person *Account) {
	defer r.lock()()
	for _, c := range r.checks {
		if c.id == check {
			r.s.emitTo(c.app, r, "check_run", "requested_action", object{"check_run": r.check(c),
				"requested_action": object{"identifier": identifier}}, person)
			return
		}
	}
	misuse("press %s of check run %d of %s: there is none", identifier, check, r.fullName())
}

// RequestCheck is a person pressing "Re-run" of a check run.
func (r *Repo) RequestCheck(check int64, person *Account) {
	defer r.lock()()
	for _, c := range r.checks {
		if c.id == check {
			r.s.emitTo(c.app, r, "check_run", "rerequested", object{"check_run": r.check(c)}, person)
			return
		}
	}
	misuse("re-run check run %d of %s: there is none", check, r.fullName())
}

// StartRun starts a run of GitHub Actions for a commit of a branch and returns its id.
func (r *Repo) StartRun(name, branch, sha string) int64 {
	defer r.lock()()
	r.lastRun++
	run := &workflowRun{id: r.s.id(), number: r.lastRun, name: name, sha: sha, branch: branch, event: "pull_request",
		status: "in_progress", created: r.s.now(), updated: r.s.now()}
	if r.network.commits[sha] == nil {
		misuse("start a run at %s of %s: no such commit", sha, r.fullName())
	}
	r.runs = append(r.runs, run)
	r.emitRun(run, "in_progress")
	return run.id
}

// FinishRun ends a run with a conclusion: success, failure, cancelled, ….
func (r *Repo) FinishRun(id int64, conclusion string) {
	defer r.lock()()
	for _, run := range r.runs {
		if run.id == id {
			run.status, run.conclusion, run.updated = "completed", conclusion, r.s.now()
			r.emitRun(run, "completed")
			return
		}
	}
	misuse("finish run %d of %s: there is none", id, r.fullName())
}

func (r *Repo) emitRun(run *workflowRun, action string) {
	r.s.emit(r, "workflow_run", action, object{"workflow_run": r.run(run), "workflow": r.workflow(run)}, r.owner)
}

func text(v any) string { s, _ := v.(string); return s }
