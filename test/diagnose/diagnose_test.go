//go:build diagnose

package main

import (
	"os"
	"slices"
	"testing"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
)

// TestBrokenCharts deploys the charts that do not take minutes, all at the same time: what is wrong with each must be said, why,
// and what to do about it.
func TestBrokenCharts(t *testing.T) {
	t.Parallel()
	theatre, err := open(t.Context(), clustertest.Kubeconfig(t), clustertest.Registry(t))
	defer theatre.render.Close() //nolint:staticcheck // it is there whatever else could not be had
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(scenes(theatre.images), func(s scene) bool { return s.long })
	results := theatre.play(t.Context(), all, len(all), func(r result) {
		if r.why != "" {
			t.Errorf("%s: %s\n%+v", r.name, r.why, r.said)
		}
	})
	heading(os.Stdout)
	for _, r := range results {
		row(os.Stdout, r)
	}
	t.Log(sum(results))
}
