package cluster

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
)

// BenchmarkPreview makes previews one after the other, each in a namespace of its own, until they are ready. It reports how long that takes and
// how many requests it makes.
func BenchmarkPreview(b *testing.B) {
	tr := &traffic{}
	c := newCluster(b, tr)
	values := map[string]any{"image": clustertest.Image(b), "host": "bench.preview.localhost"}
	run := time.Now().UnixMilli()
	var deploying, waiting time.Duration
	requests := 0
	for i := 0; b.Loop(); i++ {
		id := Identity{Namespace: fmt.Sprintf("ct-bench-%d-%d", run, i), Repository: "acme/web"}
		id.Key.RepositoryID, id.Key.Number = 4711, i+1
		tr.take()
		started := time.Now()
		var err error
		if id.UID, err = ensure(b.Context(), c, id, guardsOf(id)); err != nil {
			b.Fatal(err)
		}
		d, err := c.Deploy(b.Context(), DeployRequest{Identity: id, Files: web(), Values: values})
		if err != nil {
			b.Fatal(err)
		}
		deploying += time.Since(started)
		started = time.Now()
		if err := c.WaitReady(b.Context(), id, d.Objects, time.Minute, nil); err != nil {
			b.Fatal(err)
		}
		waiting += time.Since(started)
		b.StopTimer()
		requests += len(tr.take())
		if err := c.client.CoreV1().Namespaces().Delete(b.Context(), id.Namespace, metav1.DeleteOptions{}); err != nil {
			b.Fatal(err)
		}
		if err := c.WaitGone(b.Context(), id, time.Minute); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(deploying.Milliseconds())/float64(b.N), "deploy-ms/op")
	b.ReportMetric(float64(waiting.Milliseconds())/float64(b.N), "wait-ms/op")
	b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
}
