package metrics

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// setup is a server behind which a kubelet has counted one pod of two.
func setup(t *testing.T) *Server {
	t.Helper()
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/nodes/node/proxy/stats/summary" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"node":{"cpu":{"time":"2026-05-01T10:00:00Z","usageNanoCores":5},"memory":{"workingSetBytes":2048}},"pods":[
{"podRef":{"name":"web","namespace":"a"},"containers":[{"name":"x","cpu":{"time":"2026-05-01T10:00:00Z","usageNanoCores":7},"memory":{"workingSetBytes":1024}}]},
{"podRef":{"name":"new","namespace":"a"},"containers":[{"name":"x","cpu":{"time":"2026-05-01T10:00:00Z"}}]}]}`))
	}))
	t.Cleanup(behind.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: behind.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &Server{client: client, node: "node", proxy: "front"}
}

// TestPods: a pod that is not counted in full yet is not told, as if it used nothing.
func TestPods(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for namespace, want := range map[string]string{
		"a": `[{"apiVersion":"metrics.k8s.io/v1beta1","containers":[{"name":"x","usage":{"cpu":"7n","memory":"1Ki"}}],"kind":"PodMetrics","metadata":{"name":"web","namespace":"a"},"timestamp":"2026-05-01T10:00:00Z","window":"15s"}]`,
		"b": `[]`,
	} {
		items, err := s.pods(httptest.NewRequest(http.MethodGet, "/", nil), request{namespace: namespace, labels: labels.Everything()})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(items); string(got) != want {
			t.Errorf("%s: %s, want %s", namespace, got, want)
		}
	}
}

// TestOnlyTheAPIServer: whoever does not come through the API server is not answered, whoever they say they are.
func TestOnlyTheAPIServer(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, base+"/pods", nil)
	r.Header.Set("X-Remote-User", "kubernetes-admin")
	r.Header.Set("X-Remote-Group", "system:masters")
	w := httptest.NewRecorder()
	setup(t).routes().ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("answered %d: %s", w.Code, w.Body)
	}
}
