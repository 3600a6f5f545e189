// Package lab puts Catalyst between real parts that a test has in its hand: replicas as processes of their own, each with
// edges around it, before one fake GitHub, one database and one namespace prefix of the shared cluster. Check compares where
// all of it stands with the truth.
package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/test/rig"
)

// Options say what a lab is made of.
type Options struct {
	Name     string         // a label value that no other lab has at the time
	Binary   string         // Catalyst's, or that of a program that takes the same arguments
	Worker   map[string]any // the configuration's worker section
	SQLite   string         // where the database is; empty: in the lab's own directory
	Postgres Service        // instead of SQLite
}

// Service is a PostgreSQL database that may move.
type Service interface {
	DSN() string // as the test reaches it, past the edges
	Dial(ctx context.Context) (net.Conn, error)
}

// Shared is a database on a server that stays where it is.
type Shared string

// DSN is the database's, whose host is the directory of the server's socket.
func (s Shared) DSN() string { return string(s) }

// Dial connects to the server.
func (s Shared) Dial(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(string(s))
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"))
}

// Lab is one Catalyst, as many processes as it has, with all that it speaks with.
type Lab struct {
	GitHub *rig.GitHub
	Client *kubernetes.Clientset // the cluster, past the edges

	Options
	dir      string
	rest     *rest.Config
	identity *clientcmdapi.Config // Catalyst's own, as deploy/manifests make it
	record   record
	front    *front

	mu       sync.Mutex // guards what follows
	replicas []*Replica
	pulls    []*Pull
}

// New makes a lab for a test, and takes all of it down when the test ends. After a failure what it made in the cluster stays to be
// looked at.
func New(t testing.TB, o Options) *Lab {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", clustertest.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	l := &Lab{
		Options: o, dir: t.TempDir(), rest: config, front: newFront(),
	}
	t.Cleanup(l.front.server.Close)
	if l.SQLite == "" {
		l.SQLite = filepath.Join(l.dir, "catalyst.db")
	}
	if l.Client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if l.identity, err = clientcmd.LoadFromFile(clustertest.Catalyst(t, o.Name)); err != nil {
		t.Fatal(err)
	}
	if err := l.clear(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if l.GitHub, err = rig.StartGitHub(l.front.server.URL+"/webhooks/github", slog.New(slog.DiscardHandler), "pull_request"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.GitHub.Stop)
	l.GitHub.Repo.Rename(o.Name) // namespaces are named after the repository
	if err := l.withoutPods(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.end(t) })
	return l
}

// overTCP is the DSN for the same database at another address.
func overTCP(dsn, address string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = address, q.Encode()
	return u.String(), nil
}

// refront sends deliveries to the replicas that are up.
func (l *Lab) refront() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var up []*url.URL
	for _, r := range l.replicas {
		if r.Catalyst == nil || !r.ended.IsZero() || r.paused {
			continue
		}
		if u, err := url.Parse(r.URL); err == nil {
			up = append(up, u)
		}
	}
	l.front.set(up)
}

// Alive returns the replicas that were not ended.
func (l *Lab) Alive() []*Replica {
	l.mu.Lock()
	defer l.mu.Unlock()
	var alive []*Replica
	for _, r := range l.replicas {
		if r.Catalyst != nil && r.ended.IsZero() {
			alive = append(alive, r)
		}
	}
	return alive
}

// Logs returns the end of every replica's log.
func (l *Lab) Logs() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, r := range l.replicas {
		if r.Catalyst != nil {
			fmt.Fprintf(&b, "--- the end of the log of %s\n%s\n", r.Name, r.Catalyst.Log())
		}
	}
	return b.String()
}

// clear removes this lab's namespaces, and waits for it when asked to.
func (l *Lab) clear(ctx context.Context, wait bool) error {
	mine := metav1.ListOptions{LabelSelector: cluster.LabelInstance + "=" + l.Name}
	return rig.Until(ctx, 2*time.Minute, "the namespaces of an earlier run are gone", func() (bool, error) {
		left, err := l.Client.CoreV1().Namespaces().List(ctx, mine)
		if err != nil {
			return false, err
		}
		for _, ns := range left.Items {
			if ns.DeletionTimestamp == nil {
				err = errors.Join(err, l.Client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{}))
			}
		}
		return len(left.Items) == 0 || !wait, err
	})
}

// end stops what runs and looks for what must never be.
func (l *Lab) end(t testing.TB) {
	for _, r := range l.Alive() {
		if r.paused {
			_ = r.Resume()
		}
		r.Kill()
	}
	for _, v := range l.GitHub.Violations() {
		t.Errorf("GitHub would not accept: %s", v)
	}
	if t.Failed() {
		t.Logf("%s", l.Logs())
	} else if err := l.clear(context.WithoutCancel(t.Context()), false); err != nil {
		t.Error(err)
	}
}
