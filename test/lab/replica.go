package lab

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/rig"
)

// Replica is one process of Catalyst with edges of its own around it.
type Replica struct {
	*rig.Catalyst
	Name string
	// The edges, where the network is. Database is nil for SQLite.
	Kube, Hub, Database *edge.TCP

	lab     *Lab
	https   []*edge.HTTP // the API server's and GitHub's
	ended   time.Time    // when it was certainly dead; zero while it may live
	paused  bool
	started time.Time
}

// ReplicaOptions say what is special about a replica.
type ReplicaOptions struct {
	Watchers []edge.Watcher // of both HTTP edges
	Config   func(config map[string]any)
	Args     []string // more arguments of the program
}

// Start starts a replica and returns once it accepts deliveries and its first sweep is over, so that what follows is caused by
// what the test does.
func (l *Lab) Start(ctx context.Context, o ReplicaOptions) (*Replica, error) {
	swept := &waiter{done: make(chan struct{})}
	r, err := l.StartUnswept(ctx, ReplicaOptions{Watchers: append([]edge.Watcher{swept}, o.Watchers...), Config: o.Config, Args: o.Args})
	if err != nil {
		return nil, err
	}
	select {
	case <-swept.done:
		return r, l.GitHub.Settle(ctx) // what the sweep asked for again
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s did not sweep within a minute\n%s", r.Name, r.Log())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// StartUnswept is Start without waiting for the first sweep.
func (l *Lab) StartUnswept(ctx context.Context, o ReplicaOptions) (*Replica, error) {
	l.mu.Lock()
	r := &Replica{Name: fmt.Sprintf("replica %d", len(l.replicas)+1), lab: l, started: time.Now()}
	l.replicas = append(l.replicas, r)
	l.mu.Unlock()
	dir := filepath.Join(l.dir, strings.ReplaceAll(r.Name, " ", "-"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	config, err := r.connect(dir, o)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", r.Name, err)
	}
	if r.Catalyst, err = rig.Run(ctx, l.Binary, dir, config, o.Args...); err != nil {
		return nil, fmt.Errorf("start %s: %w", r.Name, err)
	}
	l.refront()
	return r, nil
}

// connect puts the edges up and returns the configuration that leads through them.
func (r *Replica) connect(dir string, o ReplicaOptions) (map[string]any, error) {
	l := r.lab
	watchers := append(append([]edge.Watcher{}, o.Watchers...), l.record.of(r.Name))
	api, err := url.Parse(l.rest.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(l.rest))
	if err != nil {
		return nil, err
	}
	hub, err := url.Parse(l.GitHub.URL())
	if err != nil {
		return nil, err
	}
	kubeHTTP := edge.NewHTTP(api, transport, true, watchers...)
	hubHTTP := edge.NewHTTP(hub, &http.Transport{}, false, watchers...)
	r.https = []*edge.HTTP{kubeHTTP, hubHTTP}
	if r.Kube, err = edge.NewTCP(edge.Dial("tcp", kubeHTTP.Address())); err != nil {
		return nil, err
	}
	if r.Hub, err = edge.NewTCP(edge.Dial("tcp", hubHTTP.Address())); err != nil {
		return nil, err
	}
	dsn := l.SQLite
	if l.Postgres != nil {
		if r.Database, err = edge.NewTCP(l.Postgres.Dial); err != nil {
			return nil, err
		}
		if dsn, err = overTCP(l.Postgres.DSN(), r.Database.Address()); err != nil {
			return nil, err
		}
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := l.writeKubeconfig(kubeconfig, r.Kube.Address(), kubeHTTP.CA()); err != nil {
		return nil, err
	}
	listen, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	config := rig.Config(listen, l.GitHub, &rig.Cluster{Kubeconfig: kubeconfig, PreviewDomain: "preview.localhost"})
	config["database"], config["instance"] = dsn, l.Name
	hubConfig := config["github"].(map[string]any)
	hubConfig["api_url"] = "http://" + r.Hub.Address() + hubPrefix + "/"
	hubConfig["checks"], hubConfig["deployments"] = false, false // what is lost and killed here is the preview and its comment; a test may switch them on
	config["repositories"] = []any{map[string]any{
		"name": l.GitHub.Repo.FullName(), "values": "values-preview.yaml", "image": map[string]any{"repository": "registry.invalid/none"},
	}}
	config["worker"] = maps.Clone(l.Worker)
	if o.Config != nil {
		o.Config(config)
	}
	return config, nil
}

// writeKubeconfig writes one of Catalyst's identity that leads to an edge.
func (l *Lab) writeKubeconfig(path, address string, ca []byte) error {
	config := l.identity.DeepCopy()
	for _, c := range config.Clusters {
		c.Server, c.CertificateAuthorityData, c.CertificateAuthority = "https://"+address, ca, ""
	}
	return clientcmd.WriteToFile(*config, path)
}

// Unanswered is how many of its requests the API server gave no answer to.
func (r *Replica) Unanswered() int { return r.https[0].Unanswered() }

// Kill ends the process as a power cut would, and then its edges: what it had under way is gone with it.
func (r *Replica) Kill() {
	r.Catalyst.Kill()
	r.gone()
}

// Stop ends the process in order.
func (r *Replica) Stop() error {
	err := r.Catalyst.Stop()
	r.gone()
	return err
}

func (r *Replica) gone() {
	r.lab.mu.Lock()
	first := r.ended.IsZero()
	if first {
		r.ended = time.Now()
	}
	r.lab.mu.Unlock()
	if !first {
		return
	}
	r.lab.refront()
	for _, e := range r.https {
		e.Close()
	}
	for _, e := range []*edge.TCP{r.Kube, r.Hub, r.Database} {
		if e != nil {
			e.Close()
		}
	}
}

// Pause stops the process in the middle of what it does. Deliveries go to the others.
func (r *Replica) Pause() error { return r.hold(true, r.Catalyst.Pause) }

// Resume has it go on.
func (r *Replica) Resume() error { return r.hold(false, r.Catalyst.Resume) }

func (r *Replica) hold(paused bool, signal func() error) error {
	err := signal()
	r.lab.mu.Lock()
	r.paused = paused
	r.lab.mu.Unlock()
	r.lab.refront()
	return err
}

// waiter waits for a replica's first sweep to have asked its last question.
type waiter struct{ done chan struct{} }

// Before implements edge.Watcher.
func (*waiter) Before(*edge.Request) (*edge.Answer, error) {
	return nil, nil //nolint:nilnil // no answer: the request goes on
}

// After implements edge.Watcher.
func (*waiter) After(*edge.Request, int) error { return nil }

// Told implements edge.Watcher.
func (w *waiter) Told(r *edge.Request) {
	if !strings.HasSuffix(r.URL.Path, "/app/hook/deliveries") {
		return
	}
	select {
	case <-w.done:
	default:
		close(w.done)
	}
}
