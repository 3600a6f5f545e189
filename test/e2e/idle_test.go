package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/test/rig"
)

// apiServer is a proxy before the cluster's API server that knows what was asked of it.
type apiServer struct {
	kubeconfig string // of a client that goes through the proxy

	mu     sync.Mutex
	counts map[string]int // by "METHOD /path"
}

// listenIn puts a proxy between a Catalyst that is given its kubeconfig and the API server.
func listenIn(t *testing.T, kubeconfig string) *apiServer {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1 // watches are passed on as they come
	if proxy.Transport, err = rest.TransportFor(config); err != nil {
		t.Fatal(err)
	}
	a := &apiServer{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.counts[r.Method+" "+r.URL.Path]++
		a.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}], users: [{name: c}],
  clusters: [{name: c, cluster: {server: %q}}]}`, server.URL)
	if err := os.WriteFile(a.kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// forget starts the counts again.
func (a *apiServer) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.counts)
}

// count returns how often it was asked for that.
func (a *apiServer) count(line string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[line]
}

// writes returns what was asked for that changes something.
func (a *apiServer) writes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var writes []string
	for line, n := range a.counts {
		if !strings.HasPrefix(line, http.MethodGet+" ") {
			writes = append(writes, fmt.Sprintf("%d × %s", n, line))
		}
	}
	return writes
}

// TestIdle: once everything is as it should be, Catalyst goes on looking and writes nothing, neither to the cluster nor to GitHub. The passes
// that take an hour are made within half a minute.
func TestIdle(t *testing.T) {
	t.Parallel()
	var api *apiServer
	b := setup(t, func(config map[string]any) {
		often(config)
		cluster := config["cluster"].(map[string]any)
		api = listenIn(t, cluster["kubeconfig"].(string))
		cluster["kubeconfig"] = api.kubeconfig
	})
	broken := b.open("Broken", map[string]string{"chart/templates/service.yaml": "{{ .Values.nothing.here }}"})
	b.comment(broken, "| failed |")
	closed := b.open("Closed", nil)
	b.comment(closed, "| success |")
	closed.Close(false)
	b.comment(closed, "| deleted |")
	running := b.open("Running", nil)
	b.comment(running, "| success |")
	if len(api.writes()) == 0 {
		t.Fatal("what was written so far did not go through the proxy")
	}

	look := "GET /api/v1/namespaces/" + fmt.Sprintf("pr-testidle-%d", running.Number())
	var sweeps, looks int
	pass := func(n int) {
		t.Helper()
		b.github.ResetCounters()
		api.forget()
		if err := rig.Until(t.Context(), limit, "the passes are made", func() (bool, error) {
			sweeps, looks = b.github.Counters()["GET /app/hook/deliveries"], api.count(look)
			return sweeps >= n && looks >= n, nil
		}); err != nil {
			t.Fatalf("%v: %d sweeps, %d looks", err, sweeps, looks)
		}
	}
	pass(3)  // what the last change still had to say is said
	pass(25) // of an hour's 12 sweeps; the looks at what runs are the same each time
	if writes := api.writes(); len(writes) > 0 {
		t.Errorf("written to the cluster in %d sweeps and %d looks: %v", sweeps, looks, writes)
	}
	for _, r := range b.github.Requests() {
		if r.Method != http.MethodGet {
			t.Errorf("written to GitHub: %s %s", r.Method, r.Path)
		}
	}
}
