// Package app wires the parts together: one function, top to bottom. It holds no rules of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/notify"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/render"
	"catalyst.dev/catalyst/internal/seal"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/usage"
	"catalyst.dev/catalyst/internal/webhook"
	"catalyst.dev/catalyst/internal/worker"
)

// goneLimit is how long one attempt at removing a namespace waits (S6).
const goneLimit = 2 * time.Minute

// besides is how many reconcile jobs run beside the deployments that the limits allow: removals, and looks at the line.
const besides = 8

// drain is how long open requests may take to end when the server stops.
const drain = 10 * time.Second

// Deps are what the program is given from outside.
type Deps struct {
	Log     *slog.Logger
	Known   *redact.Book // the values that the log hides; the app adds those it gets to know
	Version string
	Migrate bool // apply missing migrations instead of refusing to start
	Store   []store.Option
}

// App is the whole server. Close it when Run has returned.
type App struct {
	config  config.Config
	log     *slog.Logger
	store   *store.Store
	github  *ghapp.Client
	render  *render.Renderer
	cluster *cluster.Cluster
	worker  *worker.Worker
	routes  *access.Mux
	until   context.Context // streams end with it
	release context.CancelFunc
	kept    *kept.Store // nil: nothing is kept
	usage   *usage.Sampler
}

// New opens the database, checks its schema and connects the parts. It does not wait for GitHub or the cluster: they may be
// away when Catalyst starts, deliveries are accepted all the same. preview.ErrNotReady when the database needs a migration.
func New(ctx context.Context, c config.Config, d Deps) (_ *App, err error) {
	a := &App{config: c, log: d.Log}
	a.until, a.release = context.WithCancel(context.Background())
	own := c.Secrets()
	d.Known.Add(own...)
	hide := redact.New(own...)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.store, err = OpenStore(ctx, c, d.Store...); err != nil {
		return a, err
	}
	if d.Migrate {
		applied, err := a.store.Migrate(ctx)
		if err != nil {
			return a, err
		}
		for _, name := range applied {
			d.Log.Info("migration applied", "name", name)
		}
	}
	if err := a.store.CheckSchema(ctx); err != nil {
		return a, err
	}

	metrics := newMetrics(d.Version, a.store)
	github, err := ghapp.New(ghapp.Options{
		APIURL: c.GitHub.APIURL, AppID: c.GitHub.AppID, PrivateKey: []byte(c.GitHub.PrivateKey), Token: string(c.GitHub.Token),
		UserAgent: "catalyst/" + d.Version, Log: d.Log, Observe: metrics.github, ObserveGate: metrics.gate,
	})
	if err != nil {
		return a, err
	}
	cluster.RouteLogs(d.Log)
	a.github = github
	a.render = render.New(render.Options{Unconfined: c.Render.Unconfined(), Log: d.Log})
	if a.cluster, err = cluster.New(ctx, cluster.Options{
		Kubeconfig: c.Cluster.Kubeconfig, InstanceID: c.Instance, Renderer: a.render, Log: d.Log, Sources: c.Cluster.SecretsNamespace,
		Own: own, Learn: d.Known.Add,
	}); err != nil {
		return a, err
	}
	a.usage = usage.New(a.cluster, d.Log)
	plans := newPlanner(c, a.store)
	if err := plans.confirm(ctx); err != nil {
		return a, err
	}
	rules := policy.Rules{GitHubHost: c.GitHub.Host(), Repositories: plans.names, Limits: policy.Limits(c.Limits), Access: plans.access, Channels: channels(c.GitHub), Pages: pagesURL(c)}
	for _, r := range c.Notifications {
		rules.Receivers = append(rules.Receivers, policy.Receiver{Name: r.Name, Only: r.Only})
	}
	keeper := a.keeper(hide)
	door := lifecycle.New(a.store, rules, d.Log, hide)
	a.worker = worker.New(worker.Options{
		Queue: a.store, Reader: a.store, Lifecycle: door, GitHub: github, People: github, Channels: github,
		Checks: c.GitHub.Checks, Listings: c.GitHub.Deployments, Records: a.store, Outbox: a.store, Notifier: receivers(c, d.Version), Deployer: a.cluster, Remover: a.cluster,
		Overview: github, Estate: a.cluster, Settings: plans, Keeper: keeper, Collector: a.cluster, Pages: pagesURL(c), Holder: holder(), Jobs: c.Limits.Deployments + besides,
		Repos: rules.Repositories, Lease: c.Worker.Lease, Poll: c.Worker.Poll, SweepEvery: c.Worker.Sweep,
		SweepShare: float64(c.Worker.SweepGone) / 100, HealthEvery: c.Worker.Health,
		ReadyLimit: c.Preview.ReadyTimeout, GoneLimit: goneLimit, Hide: hide, Log: d.Log, Observe: metrics.job,
	})
	hook, err := webhook.New(webhook.Options{Lifecycle: door, Secrets: c.GitHub.WebhookSecrets(), Log: d.Log, Observe: metrics.delivery})
	if err != nil {
		return a, err
	}
	a.routes = a.surfaces(door, d.Version)
	a.routes.Handle(webhookPath, hook)
	a.routes.HandleFunc("GET /healthz", healthz)
	a.routes.HandleFunc("GET /readyz", a.readyz)
	a.routes.Handle("GET /metrics", metrics.handler())
	return a, nil
}

// receivers sends to whom the configuration names.
func receivers(c config.Config, version string) *notify.Sender {
	var list []notify.Receiver
	for _, r := range c.Notifications {
		list = append(list, notify.Receiver{Name: r.Name, URL: string(r.URL), Secret: string(r.Secret), Format: notify.Format(r.Format)})
	}
	return notify.New(list, "catalyst/"+version, nil)
}

// keeper is where the last logs of previews are kept; nil when that is switched off or not possible. It is a help: previews work without it.
func (a *App) keeper(hide *redact.Redactor) worker.Keeper {
	dir := a.config.Place()
	if dir == "" {
		return nil
	}
	store, err := kept.Open(kept.Options{Dir: dir, For: a.config.Kept.For, Bytes: int64(a.config.Kept.Megabytes) << 20, Hide: hide})
	if err != nil {
		a.log.Error("no logs are kept", "directory", dir, "error", err)
		return nil
	}
	a.kept = store
	return store
}

// channels are the jobs that tell of previews on GitHub beside the comment. With a token there are no check runs: only Apps write them.
func channels(g config.GitHub) (kinds []preview.JobKind) {
	if g.Checks && g.Token == "" {
		kinds = append(kinds, preview.JobCheck)
	}
	if g.Deployments {
		kinds = append(kinds, preview.JobEnvironment)
	}
	return kinds
}

// OpenStore opens the database as the configuration says, with the keys.
func OpenStore(ctx context.Context, c config.Config, o ...store.Option) (*store.Store, error) {
	var keys *seal.Keys
	if c.EncryptionKeys != "" {
		var err error
		if keys, err = seal.Parse(string(c.EncryptionKeys)); err != nil {
			return nil, fmt.Errorf("encryption_keys: %w", err)
		}
	}
	return store.Open(ctx, c.Database, append(o, store.WithKeys(keys))...)
}

// Run serves until ctx ends, then stops: requests under way are answered, running jobs give their leases back. listening is called
// once with the address, as soon as connections are accepted; it may be nil.
func (a *App) Run(ctx context.Context, listening func(addr string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.config.Listen, err)
	}
	server := &http.Server{
		Handler: a.routes, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	a.log.Info("listening", "address", listener.Addr().String())
	if listening != nil {
		listening(listener.Addr().String())
	}
	go a.look(ctx)
	go a.usage.Run(ctx)
	a.inviteOperator(ctx, listener.Addr().String())

	work, stopWork := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- a.worker.Run(work) }()

	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case err = <-served:
	}
	stopWork()
	a.release()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err = errors.Join(err, server.Shutdown(end), <-worked)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	a.log.Info("stopped")
	return err
}

// Close closes the database and ends the renderer. Calling it twice is safe.
func (a *App) Close() error {
	a.release()
	if a.render != nil {
		a.render.Close()
	}
	var err error
	if a.kept != nil {
		err, a.kept = a.kept.Close(), nil
	}
	if a.store == nil {
		return err
	}
	return errors.Join(err, a.store.Close())
}

// holder names this process in leases.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// Preview statuses that the metrics show even while there is none.
var statuses = []preview.Status{
	preview.StatusPending, preview.StatusBlocked, preview.StatusQueued, preview.StatusDeploying, preview.StatusRunning, preview.StatusDegraded,
	preview.StatusFailed, preview.StatusDeleting, preview.StatusDeleted,
}
