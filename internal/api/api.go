// Package api is the REST API under /api/v1: it decodes, hands in or reads, and encodes. What goes over the wire are the types of package client; the
// description of it all (OpenAPI 3.1) is made from them and served. Who may is decided before a request gets here (package access); what a list shows is
// filtered here, by the same rules.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/kept"
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

// Resources tells what previews use of CPU and memory, and asked for.
type Resources interface {
	Of(ctx context.Context, p preview.Preview, since time.Duration) (usage.Report, error)
}

// Kept is where the last logs of failed and deleted previews are.
type Kept interface {
	List(previewID string) ([]kept.Entry, error)
	Read(e kept.Entry, name string) (io.ReadCloser, error)
}

// Options are what the API is made of.
type Options struct {
	Store     *store.Store
	Lifecycle Lifecycle
	Access    *access.Authorizer
	Cluster   Cluster
	Logs      *logs.Reader
	Resources Resources
	Kept      Kept // nil: nothing is kept
	Replay    func(ctx context.Context, d preview.Delivery) (preview.Decision, error)
	Doctor    func(ctx context.Context) []doctor.Finding
	Log       *slog.Logger
	Version   string
}

type api struct {
	Options
	huma huma.API
}

const (
	base = "/api/v1"
	pull = base + "/previews/{owner}/{repo}/{number}"
)

// problems makes the library tell its own errors as ours are told. It is the library's hook, and one for the whole process.
var problems = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		p := &problem.Problem{Title: http.StatusText(status), Status: status, Code: "invalid", Detail: message}
		for _, err := range errs {
			at := problem.At{Message: err.Error()}
			if d, ok := err.(huma.ErrorDetailer); ok {
				at = problem.At{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			}
			p.Errors = append(p.Errors, at)
		}
		return p
	}
})

// Register puts the API's routes on the mux and returns their description.
func Register(mux *access.Mux, o Options) *huma.OpenAPI {
	problems()
	config := huma.DefaultConfig("Catalyst", o.Version)
	config.Info.Description = "A running copy of the application for every pull request. A request says who makes it with a session's cookie or with " +
		"`Authorization: Bearer TOKEN`; docs/api.md and docs/access.md say more."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A token with the scope that the operation needs."},
	}
	config.Security = []map[string][]string{{"token": {}}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", "", nil
	a := &api{Options: o, huma: humago.New(mux, config)}
	a.previews()
	a.deployments()
	a.actions()
	a.inside()
	a.lines()
	a.resources()
	a.keptLogs()
	a.operations()
	a.people()
	described(mux, a.huma.OpenAPI())
	return a.huma.OpenAPI()
}

// described serves the description.
func described(mux *access.Mux, d *huma.OpenAPI) {
	serve := func(path, contentType string, encode func() ([]byte, error)) {
		text := sync.OnceValues(encode)
		mux.HandleFunc("GET "+base+path, func(w http.ResponseWriter, _ *http.Request) {
			b, err := text()
			if err != nil {
				http.Error(w, "the description cannot be encoded", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b)
		})
	}
	serve("/openapi.json", "application/vnd.oai.openapi+json;version=3.1", d.MarshalJSON)
	serve("/openapi.yaml", "application/vnd.oai.openapi;version=3.1", d.YAML)
}

// register adds an operation whose errors are told by the one table.
func register[I, O any](a *api, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problem.Of(err, a.Log)
		}
		return out, nil
	})
}

// answer is a body by itself.
type answer[T any] struct{ Body T }

func ok[T any](v T) *answer[T] { return &answer[T]{v} }

// About is the path of a preview. The guard has found it already; the fields are there for the description.
type About struct {
	Owner  string `path:"owner" doc:"Owner of the repository." example:"acme"`
	Repo   string `path:"repo" doc:"Name of the repository." example:"web"`
	Number int    `path:"number" minimum:"1" doc:"Number of the pull request."`
}

// Page asks for a piece of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" maxLength:"200" doc:"next of the page before."`
}

func get(id, path, summary, tag string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{tag}}
}
