package ui

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/usage"
)

// shown is how many previews the list shows.
const shown = 100

// listView is the list of previews.
type listView struct {
	Filter   store.Filter
	Filtered bool
	Statuses []string
	Groups   []group
	More     bool
}

// group is a part of the list.
type group struct {
	Name     string
	Previews []listed
}

// listed is a preview in the list, with what it uses.
type listed struct {
	preview.Preview
	Use usage.Now
	Row template.HTML
}

// rows are rows of the list as they were made before. Whoever keeps the list open fetches it when anything changes, all in the same moment, and
// nearly all rows of it are the same then. Safe for concurrent use.
type rows struct {
	mu   sync.Mutex
	made map[rowKey]template.HTML
}

// rowKey is all that a row shows.
type rowKey struct {
	repository, title, author, code, cause, live, head, url, ago string
	number                                                       int
	status                                                       preview.Status
	changed                                                      time.Time
	use                                                          usage.Now
}

// maxRows bounds the memory; when there are so many, all are made anew.
const maxRows = 2000

func (r *rows) of(l listed) (template.HTML, error) {
	k := rowKey{
		repository: l.Repository, title: l.Title, author: l.Author, live: l.LiveSHA, head: l.HeadSHA, url: l.URL, ago: ago(time.Now(), l.ChangedAt),
		number: l.Number, status: l.Status, changed: l.ChangedAt, use: l.Use,
	}
	if l.Diagnosis != nil {
		k.code, k.cause = l.Diagnosis.Code, l.Diagnosis.Cause
	}
	r.mu.Lock()
	row, known := r.made[k]
	r.mu.Unlock()
	if known {
		return row, nil
	}
	var b strings.Builder
	if err := pages()["previews.html"].ExecuteTemplate(&b, "row", l); err != nil {
		return "", fmt.Errorf("row of %s: %w", l.Ref(), err)
	}
	row = template.HTML(b.String()) //nolint:gosec // a template of ours has made it
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.made) >= maxRows || r.made == nil {
		r.made = map[rowKey]template.HTML{}
	}
	r.made[k] = row
	return row, nil
}

var statuses = []string{"current", "failed", "degraded", "blocked", "queued", "pending", "deploying", "running", "deleting", "deleted", "all"}

func (u *ui) previews(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := store.Filter{Repository: q.Get("repository"), Status: q.Get("status"), Author: q.Get("author"), Text: q.Get("q")}
	if f.Status == "" || !slices.Contains(statuses, f.Status) {
		f.Status = "current"
	}
	wanted := f
	if f.Status == "all" {
		wanted.Status = ""
	}
	list, last, err := u.Access.Page(r.Context(), access.From(r.Context()), shown, time.Time{}, "", func(at time.Time, id string, limit int) ([]preview.Preview, error) {
		wanted.Before, wanted.BeforeID, wanted.Limit = at, id, limit
		return u.Store.Search(r.Context(), wanted)
	})
	if err != nil {
		u.fail(w, r, err)
		return
	}
	v := listView{Filter: f, Statuses: statuses, More: last.ID != "", Filtered: f.Repository+f.Author+f.Text != "" || f.Status != "current"}
	if v.Groups, err = u.grouped(list); err != nil {
		u.fail(w, r, err)
		return
	}
	u.show(w, r, "previews.html", view{Title: "Previews", Section: "previews", Live: "/live", Every: 2 * refreshed, Data: v})
}

// grouped puts what needs somebody first.
func (u *ui) grouped(list []preview.Preview) ([]group, error) {
	groups := []group{{Name: "Needs attention"}, {Name: "Under way"}, {Name: "Running"}, {Name: "Deleted"}}
	for _, p := range list {
		i := 2
		switch p.Status {
		case preview.StatusFailed, preview.StatusDegraded, preview.StatusBlocked:
			i = 0
		case preview.StatusPending, preview.StatusQueued, preview.StatusDeploying, preview.StatusDeleting:
			i = 1
		case preview.StatusDeleted:
			i = 3
		}
		l := listed{Preview: p, Use: u.Usage.Now(p.Namespace)}
		var err error
		if l.Row, err = u.rows.of(l); err != nil {
			return nil, err
		}
		groups[i].Previews = append(groups[i].Previews, l)
	}
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.Previews) == 0 }), nil
}

// head is what stands above everything about a preview.
type head struct {
	preview.Preview
	Tab      string
	PullURL  string
	Waiting  *preview.Waiting
	Given    *preview.Command // what was asked for on this page before
	MayWrite bool
	Blocked  bool
}

func (u *ui) head(r *http.Request, tab string) (head, error) {
	ctx := r.Context()
	p := access.Preview(ctx)
	h := head{Preview: p, Tab: tab, PullURL: u.GitHubURL + "/" + p.Repository + "/pull/" + r.PathValue("number"), Blocked: p.Status == preview.StatusBlocked}
	if r.PathValue("number") == "" {
		h.PullURL = u.GitHubURL + "/" + p.Repository + "/pulls"
	}
	w, waits, err := u.Lifecycle.Waiting(ctx, p)
	if err != nil {
		return h, err
	}
	if waits {
		h.Waiting = &w
	}
	h.MayWrite = u.Access.Authorize(ctx, access.From(ctx), access.Redeploy, &p) == nil
	commands, err := u.Store.CommandsOf(ctx, p.ID, 1)
	if err == nil && len(commands) == 1 && commands[0].Origin != preview.OriginComment && time.Since(commands[0].ReceivedAt) < 10*time.Minute {
		h.Given = &commands[0]
	}
	return h, err
}

// about is the title of a page about a preview; what matters first.
func about(p preview.Preview) string {
	return string(p.Status) + " · " + p.Ref()
}

// liveAt is the stream of a preview.
func liveAt(p preview.Preview) string { return "/live" + path(p)[len("/p"):] }

// previewView is the overview of a preview.
type previewView struct {
	head
	Deployments []deploymentView
	Commands    []preview.Command
	Usual       time.Duration
}

// shownDeployments is how many deployments the overview shows.
const shownDeployments = 5

func (u *ui) preview(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	h, err := u.head(r, "overview")
	if err != nil {
		u.fail(w, r, err)
		return
	}
	v := previewView{head: h}
	deployments, err := u.Store.Deployments(ctx, h.ID, shownDeployments)
	if err == nil {
		v.Commands, err = u.Store.CommandsOf(ctx, h.ID, 10)
	}
	if err == nil {
		v.Usual, err = u.Store.Usual(ctx, h.RepositoryID)
	}
	if err != nil {
		u.fail(w, r, err)
		return
	}
	for _, d := range deployments {
		v.Deployments = append(v.Deployments, viewOf(h.Preview, d, v.Usual))
	}
	u.show(w, r, "preview.html", view{Title: about(h.Preview), State: h.Status, Section: "previews", Live: liveAt(h.Preview), Data: v})
}

// deploymentView is a deployment with its steps on one scale.
type deploymentView struct {
	preview.Deployment
	Of    preview.Preview
	Usual time.Duration
	Whole time.Duration // what it took, without the queue
	Bars  []bar
}

// bar is a step of the waterfall.
type bar struct {
	preview.Step
	StartMS, TookMS, WholeMS int64
	Runs                     bool
}

func viewOf(p preview.Preview, d preview.Deployment, usual time.Duration) deploymentView {
	end := d.FinishedAt
	if end.IsZero() {
		end = time.Now()
	}
	v := deploymentView{Deployment: d, Of: p, Usual: usual, Whole: max(end.Sub(d.StartedAt), time.Millisecond)}
	var before time.Duration // in the queue
	for _, s := range d.Steps {
		v.Whole, before = max(v.Whole, s.Start+s.Took), max(before, -s.Start)
	}
	scale := v.Whole + before
	for _, s := range d.Steps {
		s.Start += before
		b := bar{Step: s, StartMS: s.Start.Milliseconds(), TookMS: s.Took.Milliseconds(), WholeMS: scale.Milliseconds(), Runs: s.Outcome == ""}
		if b.Runs {
			b.TookMS = max(0, b.WholeMS-b.StartMS)
		}
		v.Bars = append(v.Bars, b)
	}
	return v
}

func (u *ui) deployment(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	p := access.Preview(ctx)
	d, err := u.Store.Deployment(ctx, r.PathValue("deployment"))
	if err != nil {
		u.fail(w, r, err)
		return
	}
	usual, err := u.Store.Usual(ctx, p.RepositoryID)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	u.show(w, r, "deployment.html", view{
		Title: string(d.Status) + " · " + preview.ShortSHA(d.SHA) + " · " + p.Ref(), State: p.Status, Section: "previews", Live: liveAt(p), Data: viewOf(p, d, usual),
	})
}

func identity(p preview.Preview) cluster.Identity {
	return cluster.Identity{Namespace: p.Namespace, UID: p.NamespaceUID, Key: p.Key, Repository: p.Repository}
}

// fromPull, fromSHA and fromHost are addresses that can be made without knowing Catalyst's own.
func (u *ui) fromPull(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, path(access.Preview(r.Context())), http.StatusFound)
}

func (u *ui) fromSHA(w http.ResponseWriter, r *http.Request) {
	p, err := u.Store.AtSHA(r.Context(), r.PathValue("sha"))
	u.found(w, r, p, err)
}

func (u *ui) fromHost(w http.ResponseWriter, r *http.Request) {
	p, err := u.Store.AtHost(r.Context(), r.PathValue("host"))
	u.found(w, r, p, err)
}

// found leads to a preview whoever may see it.
func (u *ui) found(w http.ResponseWriter, r *http.Request, p preview.Preview, err error) {
	if err == nil {
		err = u.Access.Authorize(r.Context(), access.From(r.Context()), access.See, &p)
	}
	if err != nil {
		u.fail(w, r, err)
		return
	}
	http.Redirect(w, r, path(p), http.StatusFound)
}

// login says how to sign in.
func (u *ui) login(w http.ResponseWriter, r *http.Request) {
	u.show(w, r, "login.html", view{Title: "Sign in", Data: struct {
		GitHub, OIDC bool
		Query        string
	}{u.SignIn, u.SignInOIDC, url.Values{"to": {r.URL.Query().Get("to")}}.Encode()}})
}
