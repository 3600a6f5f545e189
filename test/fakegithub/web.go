package fakegithub

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed page/*.html page/style.css page/refresh.js
var pageFiles embed.FS

var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").ParseFS(pageFiles, "page/*.html"))
})

// whoView is an account as a page shows it.
type whoView struct {
	Login, Initial string
	Hue            uint32
	App            bool
}

// itemView is one line or box of a conversation.
type itemView struct {
	Kind   string // "comment", "commit", "event" or "deployment"
	At     time.Time
	Ago    string
	Who    whoView
	ID     int64
	Role   string
	Edited bool
	Body   template.HTML
	Text   string
	SHA    string
	State  string
	URL    string
}

type pullView struct {
	Repo, Title, State, StateName, Base, Head string
	Number                                    int64
	Author                                    whoView
	URL                                       string
	Commits, Files, Additions, Deletions      int
	Labels                                    []string
	Items                                     []itemView
	Checks                                    []CheckView
	Updated                                   string
}

func (s *Server) serveIndex(w http.ResponseWriter, r *http.Request) {
	type repoView struct {
		Name  string
		Pulls []pullView
	}
	s.mu.Lock()
	var list []repoView
	for _, repo := range s.sortedRepos() {
		view := repoView{Name: repo.fullName()}
		for _, p := range repo.sortedPulls(func(*pull) bool { return true }) {
			view.Pulls = append(view.Pulls, s.pullView(p, false))
		}
		list = append(list, view)
	}
	s.mu.Unlock()
	writePage(w, "index.html", "Repositories", list)
}

func (s *Server) sortedRepos() []*Repo {
	var list []*Repo
	for _, r := range s.repos {
		if !r.deleted {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Repo) int { return strings.Compare(a.key(), b.key()) })
	return list
}

func (s *Server) servePull(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.ParseInt(r.PathValue("number"), 10, 64)
	s.mu.Lock()
	repo := s.repos[s.names[strings.ToLower(r.PathValue("owner")+"/"+r.PathValue("repo"))]]
	var p *pull
	if repo != nil && !repo.deleted {
		p = repo.pulls[number]
	}
	if p == nil || p.plain {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	view := s.pullView(p, true)
	s.mu.Unlock()
	writePage(w, "pull.html", fmt.Sprintf("%s · Pull Request #%d · %s", view.Title, view.Number, view.Repo), view)
}

func writePage(w http.ResponseWriter, name, title string, data any) {
	style, _ := pageFiles.ReadFile("page/style.css")
	script, _ := pageFiles.ReadFile("page/refresh.js")
	nonce := randomHex(8)
	var b bytes.Buffer
	err := pages().ExecuteTemplate(&b, name, map[string]any{"Title": title, "Data": data, "Nonce": nonce,
		"Style": template.CSS(style), "Script": template.JS(script)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; connect-src 'self'; script-src 'nonce-"+nonce+"'")
	_, _ = w.Write(b.Bytes()) // a reader who went away is no concern
}

// pullView gathers a pull request for a page, with its conversation when whole.
func (s *Server) pullView(p *pull, whole bool) pullView {
	now := s.options.Now()
	v := pullView{Repo: p.repo.fullName(), Title: p.title, Number: p.number, Author: who(p.author), URL: p.htmlURL(), Base: p.baseRef,
		Head: p.headRef, Updated: ago(now, p.updated)}
	if p.headRepo != p.repo {
		v.Base, v.Head = p.repo.owner.login+":"+p.baseRef, p.headOwner.login+":"+p.headRef
	}
	switch {
	case p.merged:
		v.State, v.StateName = "merged", "Merged"
	case p.closed:
		v.State, v.StateName = "closed", "Closed"
	case p.draft:
		v.State, v.StateName = "draft", "Draft"
	default:
		v.State, v.StateName = "open", "Open"
	}
	for _, l := range p.labels {
		v.Labels = append(v.Labels, l.name)
	}
	if !whole {
		return v
	}
	for _, c := range p.changes() {
		v.Files, v.Additions, v.Deletions = v.Files+1, v.Additions+c.additions, v.Deletions+c.removed
	}
	v.Items = append(v.Items, itemView{Kind: "comment", At: p.created, Who: who(p.author), Role: p.repo.role(p.author),
		Body: markdown(cmp.Or(p.body, "*No description provided.*"))})
	for _, c := range p.repo.network.between(p.baseTip(), p.headSHA) {
		v.Commits++
		// A commit is made before its pull request, but read after the description.
		at := c.when
		if !at.After(p.created) {
			at = p.created
		}
		v.Items = append(v.Items, itemView{Kind: "commit", At: at, Who: who(c.author), Text: c.message, SHA: c.sha[:7]})
	}
	for _, e := range p.events {
		v.Items = append(v.Items, itemView{Kind: "event", At: e.at, Who: who(e.actor), Text: e.text})
	}
	for _, d := range p.repo.deployments {
		if n := len(d.statuses); n > 0 && (d.sha == p.headSHA || slices.ContainsFunc(p.seen, func(sha string) bool { return sha == d.sha })) {
			last := d.statuses[n-1]
			item := itemView{Kind: "deployment", At: last.created, Who: who(d.creator), Text: text(d.fields["environment"]),
				State: text(last.fields["state"]), SHA: d.sha[:7]}
			if item.State == "success" {
				item.URL = text(last.fields["environment_url"])
			}
			v.Items = append(v.Items, item)
		}
	}
	for _, c := range p.comments {
		v.Items = append(v.Items, itemView{Kind: "comment", At: c.created, ID: c.id, Who: who(c.author), Role: p.repo.role(c.author),
			Edited: c.updated.After(c.created), Body: markdown(c.body)})
	}
	slices.SortStableFunc(v.Items, func(a, b itemView) int { return a.At.Compare(b.At) })
	for i := range v.Items {
		v.Items[i].Ago = ago(now, v.Items[i].At)
		if v.Items[i].Role == "read" || v.Items[i].Role == "none" || v.Items[i].Who.App {
			v.Items[i].Role = ""
		}
	}
	v.Checks = p.repo.checksAt(p.headSHA)
	return v
}

// checksAt lists check runs and the newest status of each context at a commit.
func (r *Repo) checksAt(sha string) []CheckView {
	var list []CheckView
	for _, c := range r.checks {
		if c.sha == sha {
			output, _ := c.fields["output"].(object)
			list = append(list, CheckView{ID: c.id, Name: c.name, Status: c.status, Conclusion: text(c.conclusion), Title: text(output["title"])})
		}
	}
	seen := map[string]bool{}
	for _, st := range r.statusesAt(sha) {
		if !seen[st.context] {
			seen[st.context] = true
			list = append(list, CheckView{Name: st.context, Status: "completed", Conclusion: st.state, Title: text(st.description)})
		}
	}
	return list
}

func who(a *Account) whoView {
	h := fnv.New32()
	_, _ = h.Write([]byte(a.login)) // never fails
	v := whoView{Login: a.login, Initial: strings.ToUpper(a.login[:1]), Hue: h.Sum32() % 360, App: a.app != nil}
	if v.App {
		v.Login = a.app.slug
	}
	return v
}

func ago(now, t time.Time) string {
	plural := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit + " ago"
		}
		return strconv.Itoa(n) + " " + unit + "s ago"
	}
	switch d := now.Sub(t); {
	case d < 10*time.Second:
		return "now"
	case d < time.Minute:
		return plural(int(d.Seconds()), "second")
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 24*time.Hour:
		return plural(int(d.Hours()), "hour")
	default:
		return plural(int(d.Hours()/24), "day")
	}
}
