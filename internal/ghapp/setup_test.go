package ghapp_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/test/fakegithub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a GitHub with one pull request in acme/web, and a client that is installed there as an App.
type bundle struct {
	github  *fakegithub.Server
	app     *fakegithub.App
	install *fakegithub.Installation
	org     *fakegithub.Account
	web     *fakegithub.Repo
	pull    *fakegithub.Pull
	repo    ghapp.Repo
	client  *ghapp.Client
	wire    *wire
	clock   *clock
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, fakegithub.Start(t), &clock{})
}

// oneClock is setup with a GitHub on the client's clock. Otherwise it keeps the true time, and refuses an App from the future.
func oneClock(t *testing.T) *bundle {
	t.Helper()
	c := &clock{}
	return setupOn(t, fakegithub.StartWith(t, fakegithub.Options{Now: c.now}), c)
}

func setupOn(t *testing.T, gh *fakegithub.Server, c *clock) *bundle {
	t.Helper()
	b := &bundle{github: gh, app: gh.CreateApp(fakegithub.AppOptions{}), org: gh.CreateOrg("acme"), wire: newWire(t), clock: c}
	b.web = b.org.CreateRepo(fakegithub.RepoOptions{Name: "web", Private: true, Files: fakegithub.Text(map[string]string{"chart/Chart.yaml": "name: web\n"})})
	b.install = b.app.Install(b.org)
	b.pull = b.web.OpenPull(fakegithub.PullOptions{Title: "Blue", Author: gh.CreateUser("dora"), Head: "blue", Files: fakegithub.Text(map[string]string{"a": "b"})})
	b.repo = ghapp.Repo{InstallationID: b.install.ID(), ID: b.web.ID(), FullName: "acme/web"}
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()})
	return b
}

// connect makes a client that speaks over the bundle's wire.
func (b *bundle) connect(t *testing.T, o ghapp.Options) *ghapp.Client {
	t.Helper()
	o.APIURL, o.HTTP, o.Now = b.github.APIURL(), &http.Client{Transport: b.wire}, b.clock.now
	client, err := ghapp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *bundle) number() int { return int(b.pull.Number()) }

// comments returns the bodies of the comments on the pull request.
func (b *bundle) comments() []string {
	var bodies []string
	for _, c := range b.pull.Comments() {
		bodies = append(bodies, c.Body)
	}
	return bodies
}

// count is how often an operation was asked for.
func (b *bundle) count(operation string) int { return b.github.Counters()[operation] }

// elsewhere turns the bundle to a pull request in a repository of another installation.
func (b *bundle) elsewhere(t *testing.T) {
	t.Helper()
	org := b.github.CreateOrg("umbrella")
	web := org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	b.pull = web.OpenPull(fakegithub.PullOptions{Files: fakegithub.Text(map[string]string{"a": "b"})})
	b.repo = ghapp.Repo{InstallationID: b.app.Install(org).ID(), ID: web.ID(), FullName: "umbrella/web"}
}

// clock is the time plus what a test adds.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// wire carries requests and remembers them as they were sent.
type wire struct {
	under  *http.Transport
	mu     sync.Mutex
	before func(*http.Request) // called before a request is sent; nil: not
	sent   []sent
	writes int // under way
	most   int // writes that were under way at once
}

type sent struct {
	method, url, authorization, body string
}

func newWire(t *testing.T) *wire {
	w := &wire{under: http.DefaultTransport.(*http.Transport).Clone()}
	t.Cleanup(w.under.CloseIdleConnections)
	return w
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	s := sent{method: req.Method, url: req.URL.String(), authorization: req.Header.Get("Authorization")}
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		s.body = string(data)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(data))
	}
	w.mu.Lock()
	w.sent = append(w.sent, s)
	before := w.before
	write := 0
	if s.method != http.MethodGet {
		write = 1
	}
	w.writes += write
	w.most = max(w.most, w.writes)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.writes -= write
		w.mu.Unlock()
	}()
	if before != nil {
		before(req)
	}
	return w.under.RoundTrip(req)
}

// hook sets what is done before each request is sent.
func (w *wire) hook(before func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

// count is how many requests were sent.
func (w *wire) count() int { return len(w.requests("")) }

// requests returns what was sent to addresses with the part in them.
func (w *wire) requests(part string) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []sent
	for _, s := range w.sent {
		if strings.Contains(s.url, part) {
			found = append(found, s)
		}
	}
	return found
}
