// Package client is the Go client of Catalyst's REST API, and the words of that API: what goes over the wire are the types of this package. It knows
// nothing of the server.
package client

import "time"

// Preview is the running copy of an application for one pull request.
type Preview struct {
	Repository string     `json:"repository" doc:"Full name on GitHub, OWNER/NAME." example:"acme/web"`
	Number     int        `json:"number" doc:"Of the pull request." example:"42"`
	Title      string     `json:"title"`
	Author     string     `json:"author" doc:"Login of who opened the pull request."`
	Branch     string     `json:"branch"`
	BaseBranch string     `json:"base_branch"`
	Open       bool       `json:"open" doc:"Whether the pull request is open."`
	Status     string     `json:"status" enum:"pending,blocked,queued,deploying,running,degraded,failed,deleting,deleted"`
	Commit     string     `json:"commit" doc:"That the pull request is at."`
	LiveCommit string     `json:"live_commit,omitempty" doc:"That answers under the URL; absent when none does."`
	LiveSince  *time.Time `json:"live_since,omitempty"`
	URL        string     `json:"url,omitempty" doc:"Under which the preview answers."`
	Namespace  string     `json:"namespace"`
	RemovedBy  string     `json:"removed_by,omitempty" doc:"Login of who had the preview removed although the pull request is open."`
	Diagnosis  *Diagnosis `json:"diagnosis,omitempty" doc:"Why the last deployment or deletion failed, or what is lost."`
	Waiting    *Waiting   `json:"waiting,omitempty" doc:"Its place in line."`
	CreatedAt  time.Time  `json:"created_at"`
	ChangedAt  time.Time  `json:"changed_at" doc:"Of the last change that people care about."`
}

// Ref is how people name the preview: OWNER/NAME#NUMBER.
func (p Preview) Ref() Ref { return Ref{Repository: p.Repository, Number: p.Number} }

// Waiting is a place in line.
type Waiting struct {
	Position int    `json:"position" doc:"1 is next."`
	Of       int    `json:"of" doc:"How many wait."`
	Reason   string `json:"reason" doc:"What it waits for."`
}

// Diagnosis says why something failed.
type Diagnosis struct {
	Code     string   `json:"code" doc:"Stable; docs/diagnosis.md lists all." example:"IMAGE_NOT_FOUND"`
	Cause    string   `json:"cause" doc:"One sentence: what failed and where, as surely as it is known."`
	Evidence []string `json:"evidence,omitempty" nullable:"false" doc:"Lines of logs and events. Foreign text."`
	Fix      string   `json:"fix,omitempty" doc:"What to do next."`
	Blame    string   `json:"blame" doc:"Whose turn it is." enum:"change,config,cluster,registry,transient,unknown"`
}

// Previews is a page of previews.
type Previews struct {
	Previews []Preview `json:"previews" nullable:"false"`
	Next     string    `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
}

// Deployment is one attempt to bring a preview to one commit.
type Deployment struct {
	ID         string     `json:"id"`
	Repository string     `json:"repository"`
	Number     int        `json:"number"`
	Commit     string     `json:"commit"`
	Attempt    int        `json:"attempt" doc:"1 for the first at this commit."`
	Status     string     `json:"status" enum:"deploying,succeeded,failed,superseded"`
	Diagnosis  *Diagnosis `json:"diagnosis,omitempty"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Steps      []Step     `json:"steps" nullable:"false" doc:"In the order in which they began."`
}

// Step is a timed part of a deployment.
type Step struct {
	Name     string `json:"name" enum:"queue,namespace,fetch,render,hooks,apply,ready"`
	StartMS  int64  `json:"start_ms" doc:"Milliseconds since the deployment's start; negative for the queue."`
	TookMS   int64  `json:"took_ms,omitempty" doc:"Absent while it runs."`
	Attempts int    `json:"attempts"`
	Outcome  string `json:"outcome,omitempty" doc:"done, failed or stopped; absent while it runs."`
	Note     string `json:"note,omitempty" doc:"What it waits for."`
}

// Deployments is a page of deployments, the newest first.
type Deployments struct {
	Deployments []Deployment `json:"deployments" nullable:"false"`
	Next        string       `json:"next,omitempty"`
}

// Timeline is what happened to a preview: its deployments with their steps, and what people asked for.
type Timeline struct {
	Deployments []Deployment `json:"deployments" nullable:"false"`
	Commands    []Command    `json:"commands" nullable:"false"`
	UsualMS     int64        `json:"usual_ms,omitempty" doc:"How long a successful deployment of the repository usually takes; absent when there was none."`
}

// Command is what somebody asked for, and what became of it.
type Command struct {
	ID         string     `json:"id"`
	Verb       string     `json:"verb"`
	Argument   string     `json:"argument,omitempty"`
	By         string     `json:"by"`
	Outcome    string     `json:"outcome" doc:"waiting, accepted (under way), done, failed or refused." enum:"waiting,accepted,done,failed,refused"`
	Reason     string     `json:"reason,omitempty" doc:"Why it was refused, or what was answered."`
	ReceivedAt time.Time  `json:"received_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// Final reports whether the outcome stays.
func (c Command) Final() bool { return c.Outcome != "waiting" && c.Outcome != "accepted" }

// Event is something that the cluster says about an object of the preview.
type Event struct {
	Kind      string    `json:"kind" doc:"Of the object." example:"Pod"`
	Name      string    `json:"name"`
	Container string    `json:"container,omitempty"`
	Warning   bool      `json:"warning"`
	Reason    string    `json:"reason" example:"BackOff"`
	Message   string    `json:"message" doc:"Foreign text."`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// Events are the events of a preview, the newest first.
type Events struct {
	Events []Event `json:"events" nullable:"false"`
	Note   string  `json:"note,omitempty" doc:"Why there are none."`
}

// Container is a container of a preview.
type Container struct {
	Pod       string     `json:"pod"`
	Name      string     `json:"name"`
	Init      bool       `json:"init,omitempty"`
	State     string     `json:"state" enum:"waiting,running,terminated"`
	Reason    string     `json:"reason,omitempty"`
	Message   string     `json:"message,omitempty"`
	Restarts  int        `json:"restarts"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	Previous  bool       `json:"previous,omitempty" doc:"The log of the run before can be read."`
}

// Containers are the containers of a preview.
type Containers struct {
	Containers []Container `json:"containers" nullable:"false"`
	Note       string      `json:"note,omitempty" doc:"Why there are none."`
}

// Amount is so much of the processor and of the memory.
type Amount struct {
	CPU    int64 `json:"cpu_millicores" doc:"Thousandths of a core."`
	Memory int64 `json:"memory_bytes"`
}

// Use is what was used at a time.
type Use struct {
	At time.Time `json:"at"`
	Amount
}

// PodUse is a pod with what it uses, used and asked for.
type PodUse struct {
	Pod      string `json:"pod"`
	Phase    string `json:"phase,omitempty" doc:"Absent: the pod is gone."`
	Requests Amount `json:"requests"`
	Limits   Amount `json:"limits" doc:"0: none."`
	Restarts int    `json:"restarts"`
	Use      []Use  `json:"use" nullable:"false" doc:"The oldest first."`
}

// Bound is a bound of the preview's quota.
type Bound struct {
	Name string  `json:"name" example:"requests.memory"`
	Used string  `json:"used" example:"1900Mi"`
	Hard string  `json:"hard" example:"2Gi"`
	Part float64 `json:"part" doc:"Of it that is used, 0 to 1."`
}

// Mark is something that happened to a preview at a time.
type Mark struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind" enum:"deploy,restart"`
	Text string    `json:"text" doc:"Which commit, or which container and why."`
}

// Resources are what a preview uses of CPU and memory, and used.
type Resources struct {
	Note  string   `json:"note,omitempty" doc:"Why nothing is known, or nothing new."`
	Total []Use    `json:"total" nullable:"false" doc:"All pods together, the oldest first."`
	Pods  []PodUse `json:"pods" nullable:"false"`
	Quota []Bound  `json:"quota" nullable:"false"`
	Marks []Mark   `json:"marks" nullable:"false" doc:"Deployments and restarts in that time, the oldest first."`
}

// Line is one line of a log.
type Line struct {
	ID        string    `json:"id" doc:"Its place in the log of its container."`
	At        time.Time `json:"at"`
	Pod       string    `json:"pod"`
	Container string    `json:"container"`
	Level     string    `json:"level,omitempty" doc:"As the line itself names it: debug, info, warn or error."`
	Text      string    `json:"text" doc:"Foreign text; may have terminal escapes in it."`
	Cut       bool      `json:"cut,omitempty" doc:"The line was longer; this is its beginning."`
}

// Logs is a page of lines, the oldest first.
type Logs struct {
	Lines    []Line `json:"lines" nullable:"false"`
	Previous string `json:"previous,omitempty" doc:"Cursor of the page before; absent on the first one."`
	Note     string `json:"note,omitempty" doc:"Why there are none, in words: what the first container waits for."`
}

// Kept is what is kept of a preview's last logs and events, the newest first.
type Kept struct {
	Entries []KeptEntry `json:"entries" nullable:"false"`
}

// KeptEntry is what was kept of one deployment at one time.
type KeptEntry struct {
	Deployment string     `json:"deployment" doc:"Its id."`
	Reason     string     `json:"reason" enum:"failed,deleted"`
	Commit     string     `json:"commit"`
	At         time.Time  `json:"at"`
	Files      []KeptFile `json:"files" nullable:"false"`
}

// KeptFile is a file of an entry.
type KeptFile struct {
	Name    string `json:"name" example:"events.txt"`
	Bytes   int64  `json:"bytes"`
	Dropped int64  `json:"dropped,omitempty" doc:"Bytes at its beginning that were left out."`
}

// Delivery is one webhook delivery.
type Delivery struct {
	ID         string    `json:"id"`
	GUID       string    `json:"guid" doc:"X-GitHub-Delivery."`
	Event      string    `json:"event"`
	Action     string    `json:"action,omitempty"`
	Repository string    `json:"repository,omitempty"`
	Number     int       `json:"number,omitempty"`
	Outcome    string    `json:"outcome" enum:"accepted,duplicate,ignored"`
	Reason     string    `json:"reason,omitempty" doc:"Why it was ignored."`
	ReceivedAt time.Time `json:"received_at"`
}

// Deliveries is a page of deliveries, the newest first.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries" nullable:"false"`
	Next       string     `json:"next,omitempty"`
}

// Replayed says what became of a delivery that was looked at once more.
type Replayed struct {
	Outcome string `json:"outcome" enum:"accepted,duplicate,ignored"`
	Reason  string `json:"reason,omitempty"`
}

// Queue is what waits and runs now.
type Queue struct {
	Deploying []Preview `json:"deploying" nullable:"false"`
	Waiting   []Preview `json:"waiting" nullable:"false" doc:"In the order in which they go."`
	Jobs      []Job     `json:"jobs,omitempty" doc:"For operators: the jobs behind them."`
}

// Job is a piece of work that waits or runs.
type Job struct {
	Kind      string    `json:"kind"`
	Preview   string    `json:"preview,omitempty" doc:"OWNER/NAME#NUMBER; absent for a job of the whole instance."`
	DueAt     time.Time `json:"due_at"`
	Attempt   int       `json:"attempt"`
	Holder    string    `json:"holder,omitempty" doc:"The process that runs it."`
	LastError string    `json:"last_error,omitempty"`
}

// Finding is what one check of the doctor found.
type Finding struct {
	Group  string `json:"group"`
	Name   string `json:"name"`
	Status string `json:"status" enum:"ok,skip,warn,fail"`
	Found  string `json:"found"`
	Why    string `json:"why,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// Findings are all that the doctor found.
type Findings struct {
	Findings []Finding `json:"findings" nullable:"false"`
	Worst    string    `json:"worst" enum:"ok,skip,warn,fail"`
}

// Audit is one line of the record of who did what.
type Audit struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	UserID  int64     `json:"user_id,omitempty" doc:"On GitHub."`
	Via     string    `json:"via"`
	Action  string    `json:"action"`
	Subject string    `json:"subject,omitempty"`
	Outcome string    `json:"outcome" enum:"allowed,refused"`
	Detail  string    `json:"detail,omitempty"`
}

// Record is a page of the record, the newest first.
type Record struct {
	Audit []Audit `json:"audit" nullable:"false"`
	Next  string  `json:"next,omitempty"`
}

// Me is who asks.
type Me struct {
	Login    string   `json:"login,omitempty" doc:"On GitHub."`
	Name     string   `json:"name"`
	Operator bool     `json:"operator"`
	Via      string   `json:"via" doc:"session, token or operator token."`
	Scopes   []string `json:"scopes,omitempty" doc:"Of the token."`
}

// Token lets a program act for a person.
type Token struct {
	ID        string     `json:"id"`
	Label     string     `json:"label"`
	Scopes    []string   `json:"scopes" nullable:"false"`
	Owner     string     `json:"owner"`
	Secret    string     `json:"secret,omitempty" doc:"The token itself; told once, when it is made."`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	UsedAt    *time.Time `json:"used_at,omitempty"`
}

// Tokens are one's own tokens.
type Tokens struct {
	Tokens []Token `json:"tokens" nullable:"false"`
}

// NewToken asks for a token.
type NewToken struct {
	Label  string   `json:"label" minLength:"1" maxLength:"100" doc:"What it is for."`
	Scopes []string `json:"scopes" minItems:"1" nullable:"false" enum:"read,write,operate"`
	Days   int      `json:"days,omitempty" minimum:"1" maximum:"366" doc:"How long it lasts; 90 when absent."`
}

// Approval names the one commit that may be deployed.
type Approval struct {
	Commit string `json:"commit" pattern:"^[0-9a-f]{40}$" doc:"The whole SHA that the pull request is at."`
}
