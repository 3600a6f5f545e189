// Package pages serves Catalyst's pages and API for people who look at them and for browsers that test them: the real handlers over a real database, with previews in
// every state and a namespace whose texts are given.
package pages

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/api"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/live"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/ui"
	"catalyst.dev/catalyst/internal/usage"
)

// Inside is what a namespace says.
type Inside struct {
	Pods   []cluster.Container
	Lines  func(r cluster.LogRequest) io.Reader
	Said   []diagnose.Event
	Report func(since time.Duration) usage.Report
}

// Site is a Catalyst to look at. Close it.
type Site struct {
	URL    string
	Invite string // an address that signs its first visitor in as an operator
	Store  *store.Store
	Door   *lifecycle.Lifecycle

	server *httptest.Server
	kept   *kept.Store
	stop   context.CancelFunc
	dir    string
}

// Repository is the one whose previews there are.
const Repository = "acme/shop"

// Serve starts a site without previews.
func Serve(ctx context.Context, in Inside) (_ *Site, err error) {
	s := &Site{}
	until, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if s.dir, err = os.MkdirTemp("", "pages"); err != nil {
		return nil, err
	}
	if s.Store, err = store.Open(ctx, filepath.Join(s.dir, "catalyst.db")); err != nil {
		return nil, err
	}
	if _, err = s.Store.Migrate(ctx); err != nil {
		return nil, err
	}
	if s.kept, err = kept.Open(kept.Options{Dir: filepath.Join(s.dir, "kept"), For: time.Hour, Bytes: 10 << 20, Hide: redact.New()}); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.Door = lifecycle.New(s.Store, policy.Rules{
		GitHubHost: "github.com", Repositories: []string{Repository}, Limits: policy.Limits{Deployments: 1},
		Access: func(string) policy.Access { return policy.Access{Forks: policy.Forks("approve")} },
	}, log, nil)
	knows, decides := access.NewIdentifier(s.Store, false, ""), access.NewAuthorizer(nil, nil)
	mux := access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: knows, Authorizer: decides, Finder: s.Store, Recorder: s.Store, Log: log, Until: until, ErrorPage: ui.Error(log), Rate: 10_000,
	}))
	s.server = httptest.NewServer(mux)
	s.URL = s.server.URL
	signin.Register(mux, signin.Options{Identifier: knows, Sessions: s.Store, Log: slog.New(slog.DiscardHandler), PublicURL: s.URL, Link: true})
	path, err := signin.NewLink(ctx, s.Store)
	s.Invite = s.URL + path
	n := namespace{in}
	replay := func(context.Context, preview.Delivery) (preview.Decision, error) {
		return preview.Decision{Outcome: preview.DeliveryAccepted}, nil
	}
	api.Register(mux, api.Options{
		Store: s.Store, Lifecycle: s.Door, Access: decides, Cluster: n, Logs: logs.New(n), Resources: n, Kept: s.kept, Log: log, Version: "dev", Replay: replay, Doctor: findings,
	})
	ui.Register(mux, ui.Options{
		Store: s.Store, Lifecycle: s.Door, Access: decides, Cluster: n, Logs: logs.New(n), Resources: n, Usage: n, Kept: s.kept, Live: live.New(s.Store, log), Log: log,
		Version: "dev", GitHubURL: "https://github.com", SignIn: true, SignInOIDC: true, Replay: replay, Doctor: findings, Settings: settings,
	})
	return s, err
}

// Close ends the site and removes what it kept.
func (s *Site) Close() error {
	s.stop()
	s.server.Close()
	_, _ = s.kept.Close(), s.Store.Close()
	return os.RemoveAll(s.dir)
}

func findings(context.Context) []doctor.Finding {
	return []doctor.Finding{
		{Group: "cluster", Name: "API server", Status: doctor.OK, Found: "v1.37.2 at https://10.0.0.1:6443"},
		{Group: "cluster", Name: "default storage class", Status: doctor.Warn, Found: "there is no storage class", Why: "A chart that asks for storage and names no class waits for ever.", Fix: "Install a storage provisioner, if previews need storage."},
		{Group: "GitHub", Name: "webhook", Status: doctor.Fail, Found: "the last delivery was 3 days ago", Why: "Pull requests get no previews.", Fix: "gh api /app/hook/deliveries"},
		{Group: "database", Name: "schema", Status: doctor.OK, Found: "current"},
	}
}

func settings(preview.Preview) []ui.Setting {
	return []ui.Setting{
		{Name: "chart", Value: "deploy/chart", From: "this repository"}, {Name: "values", From: "the default"},
		{Name: "host", Value: "{{.Name}}.preview.example.com", From: "all repositories"}, {Name: "limits.deployments", Value: "8", From: "all repositories"},
	}
}

// namespace answers as the cluster does.
type namespace struct{ Inside }

func (n namespace) Containers(context.Context, cluster.Identity) ([]cluster.Container, error) {
	return n.Pods, nil
}

func (n namespace) Events(context.Context, cluster.Identity) ([]diagnose.Event, error) {
	return n.Said, nil
}

func (n namespace) Log(ctx context.Context, _ cluster.Identity, r cluster.LogRequest) (io.ReadCloser, error) {
	if !r.Follow {
		return io.NopCloser(n.Lines(r)), nil
	}
	return following{ctx, n.Lines(r)}, nil
}

func (n namespace) Hide(context.Context, cluster.Identity) (*redact.Redactor, error) {
	return redact.New(), nil
}

func (n namespace) Of(_ context.Context, p preview.Preview, since time.Duration) (usage.Report, error) {
	if p.NamespaceUID == "" || n.Report == nil {
		return usage.Report{Note: "CPU and memory need metrics-server, which this cluster does not have. Everything else works."}, nil
	}
	return n.Report(since), nil
}

func (n namespace) Now(name string) usage.Now {
	now := usage.Now{Known: n.Report != nil && (strings.HasSuffix(name, "141") || strings.HasSuffix(name, "143")), Amount: cluster.Amount{CPU: 180, Memory: 412 << 20}}
	if now.Known && strings.HasSuffix(name, "143") {
		now.Warning = "requests.memory 1900Mi of 2Gi"
	}
	return now
}

// following is a log whose container goes on and says nothing more.
type following struct {
	ctx context.Context
	io.Reader
}

func (f following) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err == io.EOF && n == 0 {
		<-f.ctx.Done()
	}
	return n, err
}

func (following) Close() error { return nil }
