// Package ui is the web pages: made on the server from what is stored, whole without a script, and brought up to date by one where there is. It acts through the
// same orders as comments and the API; who may is decided before a request gets here (package access). Foreign text is only ever text: templates escape it by
// where it stands, and the pages allow no script but their own file.
package ui

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"
	"unicode"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/live"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/usage"
)

// Lifecycle takes events and knows the line.
type Lifecycle interface {
	Handle(ctx context.Context, e preview.Event) (preview.Preview, preview.Decision, error)
	Waiting(ctx context.Context, p preview.Preview) (preview.Waiting, bool, error)
}

// Cluster tells what happens in a preview's namespace.
type Cluster interface {
	Containers(ctx context.Context, id cluster.Identity) ([]cluster.Container, error)
	Events(ctx context.Context, id cluster.Identity) ([]diagnose.Event, error)
}

// Resources tells what a preview uses of CPU and memory, and asked for.
type Resources interface {
	Of(ctx context.Context, p preview.Preview, since time.Duration) (usage.Report, error)
}

// Usage tells what the preview with the namespace uses now.
type Usage interface {
	Now(namespace string) usage.Now
}

// Setting is a value of the configuration that counts for a preview.
type Setting struct{ Name, Value, From string }

// Options are what the pages are made of.
type Options struct {
	Store     *store.Store
	Lifecycle Lifecycle
	Access    *access.Authorizer
	Cluster   Cluster
	Logs      *logs.Reader
	Live      *live.Hub
	Resources Resources
	Usage     Usage
	Kept      Kept // nil: nothing is kept
	Replay    func(ctx context.Context, d preview.Delivery) (preview.Decision, error)
	Doctor    func(ctx context.Context) []doctor.Finding
	Settings  func(p preview.Preview) []Setting
	GitHubURL string // of GitHub's pages, without a slash at the end
	SignIn    bool   // people can sign in with GitHub

	SignInOIDC bool // people can sign in at a provider of OpenID Connect
	Log        *slog.Logger
	Version    string
}

type ui struct {
	Options
	rows rows
}

// Register puts the pages on the mux.
func Register(mux *access.Mux, o Options) {
	u := &ui{Options: o}
	mux.HandleFunc("GET /static/{file}", static)
	mux.HandleFunc("GET /login", u.login)
	mux.HandleFunc("GET /{$}", u.previews)
	mux.HandleFunc("GET /live", u.live)
	const about = "/{owner}/{repo}/{number}"
	mux.HandleFunc("GET /live"+about, u.live)
	mux.HandleFunc("GET /p"+about, u.preview)
	mux.HandleFunc("GET /p"+about+"/logs", u.logs)
	mux.HandleFunc("GET /p"+about+"/kept/{of}/{reason}/{file}", u.kept)
	mux.HandleFunc("GET /p"+about+"/resources", u.resources)
	mux.HandleFunc("GET /p"+about+"/events", u.events)
	mux.HandleFunc("GET /p"+about+"/config", u.config)
	mux.HandleFunc("POST /p"+about+"/redeploy", u.order(preview.VerbRedeploy))
	mux.HandleFunc("POST /p"+about+"/delete", u.order(preview.VerbDestroy))
	mux.HandleFunc("POST /p"+about+"/approve", u.order(preview.VerbApprove))
	mux.HandleFunc("GET /d/{deployment}", u.deployment)
	mux.HandleFunc("GET /queue", u.queue)
	mux.HandleFunc("GET /deliveries", u.deliveries)
	mux.HandleFunc("POST /deliveries/{id}/replay", u.replay)
	mux.HandleFunc("GET /system", u.system)
	mux.HandleFunc("GET /tokens", u.tokens)
	mux.HandleFunc("POST /tokens", u.newToken)
	mux.HandleFunc("POST /tokens/{id}/end", u.endToken)
	mux.HandleFunc("GET /gh/{owner}/{repo}/pull/{number}", u.fromPull)
	mux.HandleFunc("GET /sha/{sha}", u.fromSHA)
	mux.HandleFunc("GET /host/{host}", u.fromHost)
}

//go:embed page/*.html
var pageFiles embed.FS

// pages are all pages, each with the layout around it.
var pages = sync.OnceValue(func() map[string]*template.Template {
	entries, err := pageFiles.ReadDir("page")
	if err != nil {
		panic(err) // they are in the binary
	}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(pageFiles, "page/layout.html", "page/parts.html"))
	all := map[string]*template.Template{}
	for _, e := range entries {
		all[e.Name()] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "page/"+e.Name()))
	}
	return all
})

// view is what every page shows beside its own.
type view struct {
	Title    string
	State    preview.Status // of the preview that the page is about, for its icon
	Section  string         // of the navigation
	Live     string         // of the stream that tells of changes; empty: nothing on the page changes by itself
	Every    int            // seconds after which the page is fetched again although no change was told; 0: never
	Who      string
	Operator bool
	Known    bool
	Version  string
	Data     any
}

// show writes a page.
func (u *ui) show(w http.ResponseWriter, r *http.Request, name string, v view) {
	who := access.From(r.Context())
	v.Who, v.Operator, v.Known, v.Version = who.Who(), u.Access.Operator(who), who.Known(), u.Version
	write(w, http.StatusOK, name, v, u.Log)
}

func write(w http.ResponseWriter, status int, name string, v view, log *slog.Logger) {
	var b bytes.Buffer
	if err := pages()[name].ExecuteTemplate(&b, "layout.html", v); err != nil {
		log.Error("page", "name", name, "error", err)
		http.Error(w, "This page cannot be made. The log tells more.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.Map(printable, b.Bytes()))
}

// printable leaves out what has no business in a page, whoever's text brought it.
func printable(c rune) rune {
	if unicode.IsControl(c) && c != '\n' && c != '\t' {
		return -1
	}
	return c
}

// policy lets a page use its own files, and nothing that foreign text could have brought into it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// fail shows what went wrong.
func (u *ui) fail(w http.ResponseWriter, r *http.Request, err error) {
	Error(u.Log)(w, r, problem.Of(err, u.Log))
}

// Error returns what shows a problem to people.
func Error(log *slog.Logger) func(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	return func(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
		who := access.From(r.Context())
		write(w, p.Status, "error.html", view{Title: p.Title, Who: who.Who(), Known: who.Known(), Data: p}, log)
	}
}
