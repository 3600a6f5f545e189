package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/notify"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/internal/webhook"
	"catalyst.dev/catalyst/internal/worker"
	"catalyst.dev/catalyst/test/fakegithub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "a secret for the tests"
	limit  = time.Minute // only guards against hanging
)

// bundle is a worker between a GitHub, a database and a cluster that does nothing but remember.
type bundle struct {
	*testing.T
	github       *fakegithub.Server
	app          *fakegithub.App
	installation *fakegithub.Installation
	web          *fakegithub.Repo
	fork         *fakegithub.Repo
	author       *fakegithub.Account // of the fork: a stranger
	writer       *fakegithub.Account // may write to the repository
	store        *store.Store
	door         *lifecycle.Lifecycle
	ground       *ground
	kept         *kept.Store
	inbox        *inbox

	mu     sync.Mutex
	access policy.Access
}

var chartFiles = fakegithub.Text(map[string]string{"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "chart/values.yaml": "from: base\n"})

// setup starts it all, without limits. change may change the worker's options.
func setup(t *testing.T, change ...func(*worker.Options)) *bundle {
	t.Helper()
	return limited(t, policy.Limits{}, change...)
}

// limited is setup with limits.
func limited(t *testing.T, limits policy.Limits, change ...func(*worker.Options)) *bundle {
	t.Helper()
	b := &bundle{T: t, github: fakegithub.Start(t), ground: &ground{namespaces: map[string]string{}}}
	org := b.github.CreateOrg("acme")
	b.author, b.writer = b.github.CreateUser("mallory"), b.github.CreateUser("dora")
	b.web = org.CreateRepo(fakegithub.RepoOptions{Name: "web", Files: chartFiles})
	b.web.AddCollaborator(b.writer, "write")
	b.fork = b.web.Fork(b.author)

	log := slog.New(slog.DiscardHandler)
	b.store = storetest.SQLite(t)
	rules := policy.Rules{GitHubHost: "github.com", Repositories: []string{"acme/web"}, Access: b.trusts, Channels: []preview.JobKind{preview.JobCheck, preview.JobEnvironment},
		Receivers: []policy.Receiver{{Name: "ops"}}, Limits: limits}
	b.door = lifecycle.New(b.store, rules, log, nil)
	hook, err := webhook.New(webhook.Options{Lifecycle: b.door, Secrets: [][]byte{[]byte(secret)}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(hook)
	t.Cleanup(server.Close)
	b.app = b.github.CreateApp(fakegithub.AppOptions{WebhookURL: server.URL, WebhookSecret: secret})
	b.installation = b.app.Install(org)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	client, err := ghapp.New(ghapp.Options{
		APIURL: b.github.APIURL(), AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), HTTP: &http.Client{Transport: transport}, WritesPerMinute: 6000, WriteBurst: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := worker.Options{
		Queue: b.store, Reader: b.store, Lifecycle: b.door, GitHub: client, Channels: client, Checks: true, Listings: true, People: client, Records: b.store, Deployer: b.ground, Remover: b.ground,
		Overview: client, Estate: b.ground, Settings: b, Repos: rules.Repositories, Holder: "test", Jobs: 4, SweepEvery: time.Hour, HealthEvery: time.Hour,
		Lease: 30 * time.Second, Poll: 100 * time.Millisecond, ReadyLimit: time.Minute, GoneLimit: time.Minute, Log: log,
	}
	if b.kept, err = kept.Open(kept.Options{Dir: t.TempDir(), For: time.Hour, Bytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.kept.Close() })
	o.Keeper, o.Collector = b.kept, b.ground
	b.inbox = newInbox(t)
	o.Outbox, o.Notifier = b.store, notify.New([]notify.Receiver{{Name: "ops", URL: b.inbox.URL, Secret: secret}}, "catalyst/test", transport)
	for _, c := range change {
		c(&o)
	}
	w := worker.New(o)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return b
}

// trusts is policy.Rules.Access.
func (b *bundle) trusts(string) policy.Access {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.access
}

// Plan implements worker.Settings.
func (b *bundle) Plan(_ context.Context, p preview.Preview) (worker.Plan, error) {
	return worker.Plan{
		Trust: b.trusts(p.Repository).Trust(p.PullRequest), Host: p.Namespace + ".preview.test", Chart: chart.Spec{ChartPath: "chart"},
		Values: chart.ValuesInput{ImageTag: p.HeadSHA}, URL: func(u string) string { return u },
	}, nil
}

// Learn implements worker.Settings.
func (b *bundle) Learn(ctx context.Context, name string, id int64) error {
	bound, err := b.store.Bind(ctx, name, id)
	if err == nil && bound != id {
		err = preview.ErrConflict
	}
	return err
}

// open opens a pull request from the fork, whose commit changes the chart.
func (b *bundle) open() *fakegithub.Pull {
	return b.web.OpenPull(fakegithub.PullOptions{Author: b.author, HeadRepo: b.fork, Head: "gift", Files: evil(1)})
}

// evil is a change of the chart by a stranger.
func evil(n int) fakegithub.Files {
	return fakegithub.Text(map[string]string{"chart/values.yaml": fmt.Sprintf("from: fork %d\n", n)})
}

// preview returns what is stored about the pull request; its zero value when nothing is.
func (b *bundle) preview(pull *fakegithub.Pull) preview.Preview {
	p, _ := b.store.PreviewOf(b.Context(), preview.Key{RepositoryID: b.web.ID(), Number: int(pull.Number())})
	return p
}

// until waits for the condition.
func (b *bundle) until(what string, done func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			b.Fatalf("not within %s: %s", limit, what)
		case <-ticker.C:
		}
	}
}

// becomes waits until the preview has the status, settled, at the pull request's head, and its one comment says so.
func (b *bundle) becomes(pull *fakegithub.Pull, status preview.Status) preview.Preview {
	b.Helper()
	word := map[preview.Status]string{preview.StatusRunning: "success"}[status]
	if word == "" {
		word = string(status)
	}
	b.until(fmt.Sprintf("the preview is %s", status), func() bool {
		p := b.preview(pull)
		return p.Status == status && !p.Due() && (p.HeadSHA == pull.HeadSHA() || !p.Open) && strings.Contains(b.comment(pull), "| Status | "+word+" |")
	})
	return b.preview(pull)
}

// comment is the body of Catalyst's comment.
func (b *bundle) comment(pull *fakegithub.Pull) string {
	for _, c := range pull.Comments() {
		if c.AppID == b.app.ID() {
			return c.Body
		}
	}
	return ""
}

// untouched checks that nothing of the pull request was fetched, and that the cluster has not heard of it.
func (b *bundle) untouched(when string) {
	b.Helper()
	if n := b.github.Counters()["GET /repos/{owner}/{repo}/tarball/{ref}"]; n != 0 {
		b.Errorf("%s: %d archives were fetched", when, n)
	}
	if calls := b.ground.heard(); len(calls) != 0 {
		b.Errorf("%s: the cluster heard %v", when, calls)
	}
}

// approve stores an approval of the commit that the pull request is at, and has it looked at.
func (b *bundle) approve(pull *fakegithub.Pull, by *fakegithub.Account) {
	b.Helper()
	p := b.preview(pull)
	_, _, err := b.store.Apply(b.Context(), preview.Event{Kind: preview.EventRedeploy, Key: p.Key}, func(s preview.State) (preview.Decision, error) {
		now := *s.Preview
		now.Generation++
		return preview.Decision{
			Preview: &now, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}},
			Approvals: []preview.Approval{{
				Key: p.Key, SHA: pull.HeadSHA(), HeadRepositoryID: p.HeadRepositoryID, BaseBranch: p.BaseBranch, Approver: by.Login(), ApproverID: by.ID(), ApprovedAt: s.Now,
			}},
		}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// ground is a cluster that remembers what it was told.
type ground struct {
	mu         sync.Mutex
	namespaces map[string]string // name to UID
	calls      []string
	deployed   []cluster.DeployRequest
	onMake     func()                      // called when a namespace is made; may be nil
	orphans    []cluster.Identity          // what a list of namespaces holds
	onEnsure   func() error                // called before a namespace is made sure of; may be nil
	onDeploy   func() error                // called before a deployment; may be nil
	onReady    func(context.Context) error // what becomes of the wait; may be nil
	onRemove   func() error                // called before a namespace is removed; may be nil
	onCollect  func(context.Context) error // what becomes of collecting; may be nil
	foreign    map[string]bool             // names of namespaces that are somebody else's
}

func (g *ground) note(format string, args ...any) {
	g.calls = append(g.calls, fmt.Sprintf(format, args...))
}

func (g *ground) heard() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.calls)
}

// last is the newest deployment.
func (g *ground) last() cluster.DeployRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.deployed) == 0 {
		return cluster.DeployRequest{}
	}
	return g.deployed[len(g.deployed)-1]
}

// left is how many namespaces there are.
func (g *ground) left() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.namespaces)
}

func (g *ground) EnsureNamespace(_ context.Context, id cluster.Identity, _ cluster.Guards) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onEnsure != nil {
		if err := g.onEnsure(); err != nil {
			return "", err
		}
	}
	if g.foreign[id.Namespace] {
		return "", preview.ErrConflict
	}
	if g.namespaces[id.Namespace] == "" {
		g.note("make %s", id.Namespace)
		g.namespaces[id.Namespace] = fmt.Sprintf("uid-%d", len(g.calls))
		if g.onMake != nil {
			g.onMake()
		}
	}
	return g.namespaces[id.Namespace], nil
}

func (g *ground) KeepGuards(context.Context, cluster.Identity, cluster.Guards) error { return nil }

func (g *ground) SecretsDiffer(context.Context, cluster.Identity, []cluster.SecretCopy) (bool, error) {
	return false, nil
}

func (g *ground) SyncSecrets(context.Context, cluster.Identity, []cluster.SecretCopy) error {
	return nil
}

func (g *ground) Deploy(_ context.Context, r cluster.DeployRequest) (cluster.Deployed, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onDeploy != nil {
		if err := g.onDeploy(); err != nil {
			return cluster.Deployed{}, err
		}
	}
	g.note("deploy %s", r.Version)
	g.deployed = append(g.deployed, r)
	return cluster.Deployed{}, nil
}

func (g *ground) WaitReady(ctx context.Context, _ cluster.Identity, _ []cluster.ObjectRef, _ time.Duration, _ func(cluster.Progress)) error {
	g.mu.Lock()
	wait := g.onReady
	g.mu.Unlock()
	if wait != nil {
		return wait(ctx)
	}
	return nil
}

func (g *ground) URL(_ context.Context, _ cluster.Identity, _ []cluster.ObjectRef, host string) (string, error) {
	return "https://" + host, nil
}

func (g *ground) DeleteNamespace(_ context.Context, id cluster.Identity) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onRemove != nil {
		if err := g.onRemove(); err != nil {
			return err
		}
	}
	if g.namespaces[id.Namespace] != "" {
		g.note("remove %s", id.Namespace)
		delete(g.namespaces, id.Namespace)
	}
	return nil
}

// Collect implements worker.Collector.
func (g *ground) Collect(ctx context.Context, id cluster.Identity) ([]cluster.Paper, error) {
	g.mu.Lock()
	collect := g.onCollect
	there := g.namespaces[id.Namespace] != ""
	g.mu.Unlock()
	if collect != nil {
		return nil, collect(ctx)
	}
	if !there {
		return nil, nil
	}
	return []cluster.Paper{{Name: "web-1.web.log", Text: "the last words"}}, nil
}

func (g *ground) WaitGone(context.Context, cluster.Identity, time.Duration) error { return nil }

func (g *ground) Namespaces(context.Context) ([]cluster.Identity, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.orphans), nil
}

func (g *ground) Health(context.Context, cluster.Identity) (*preview.Diagnosis, error) {
	return nil, nil
}
