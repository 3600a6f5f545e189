package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"catalyst.dev/catalyst/test/fakegithub"
)

type manyResult struct {
	OpenedToReadyRatio float64   `json:"opened_to_ready_ratio"` // of the medians
	Ratios             []float64 `json:"ratios"`                // of each repetition
	PeakRSSMiB         float64   `json:"peak_rss_mib"`          // of the server
	PeakFamilyMiB      float64   `json:"peak_family_mib"`       // of the server and the children that render, pages they share counted once
	OpenedToReadyMS    int64     `json:"opened_to_ready_ms"`    // of the last pull request
	OpenedFloorMS      int64     `json:"opened_floor_ms"`       // of the last process
	PullRequests       int       `json:"pull_requests"`
	Repetitions        int       `json:"repetitions"`
}

// many opens pull requests at once and counts until the last one is ready. The floor is as many processes of kubectl at once. Nodes
// are simulated: what is measured is what Catalyst and the cluster's control plane have to do, not how fast one machine starts
// containers. The sample keeps its readiness check, which nobody asks there: without one a container has to stay up for four seconds before
// it is called ready, and its deployment holds a place in the line for as long.
func many(ctx context.Context, name string, pulls, deployments, repetitions int) (err error) {
	limits := func(config map[string]any) {
		if deployments > 0 {
			config["limits"] = map[string]any{"deployments": deployments}
		}
	}
	b, err := start(ctx, name, limits, "--node", "simulated", "--simulated-nodes", "2")
	defer func() { err = b.end(err) }()
	if err != nil {
		return err
	}
	family := b.server.WatchFamily(ctx)
	if _, _, err := b.manyThroughCatalyst(ctx, 1); err != nil { // warms every cache
		return fmt.Errorf("%w\n%s", err, b.server.Log())
	}
	r := manyResult{PullRequests: pulls, Repetitions: repetitions}
	var open lap
	for i := range repetitions {
		catalyst, manifests, err := b.manyThroughCatalyst(ctx, pulls)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, b.server.Log())
		}
		floor, err := b.manyByFloor(ctx, i, manifests)
		if err != nil {
			return err
		}
		this := lap{[]time.Duration{catalyst}, []time.Duration{floor}}
		r.Ratios = append(r.Ratios, this.ratio())
		fmt.Printf("%d  %d opened → all ready %6s (floor %6s)  %.3f ×\n", i+1, pulls, ms(catalyst), ms(floor), this.ratio())
		open.catalyst, open.floor = append(open.catalyst, catalyst), append(open.floor, floor)
	}
	peak, err := b.server.PeakMemoryMiB()
	if err != nil {
		return err
	}
	r.PeakRSSMiB, r.PeakFamilyMiB, r.OpenedToReadyRatio = tenths(peak), tenths(family()), open.ratio()
	r.OpenedToReadyMS, r.OpenedFloorMS = median(open.catalyst).Milliseconds(), median(open.floor).Milliseconds()
	fmt.Printf("medians: %d opened → all ready %.3f × the floor; peak memory %.1f MiB, %.1f MiB with its children\n",
		pulls, r.OpenedToReadyRatio, r.PeakRSSMiB, r.PeakFamilyMiB)
	return b.finish(r)
}

// manyThroughCatalyst opens n pull requests at once, and returns how long it took until the last was ready, and what was rendered for
// each. It closes them, and returns when nothing of them is left to be done.
func (b *bench) manyThroughCatalyst(ctx context.Context, n int) (last time.Duration, manifests []string, err error) {
	branches, shas, pulls := make([]string, n), make([]string, n), make([]*fakegithub.Pull, n)
	for i := range n {
		branches[i], shas[i] = b.github.Change(b.github.Repo.SHA("main"), map[string]string{"NOTES.md": fmt.Sprint(i, time.Now())})
	}
	start := time.Now()
	for i := range n {
		pulls[i] = b.github.Repo.OpenPull(fakegithub.PullOptions{Title: fmt.Sprint("Bench ", i), Author: b.github.Author, Head: branches[i]})
	}
	for i, pull := range pulls {
		ready, err := b.watch.available(ctx, namespaceOf(pull), shas[i])
		if err != nil {
			return 0, nil, err
		}
		last = max(last, ready.Sub(start))
	}
	for _, pull := range pulls {
		if err := b.settled(ctx, pull, "| success |"); err != nil {
			return 0, nil, err
		}
		manifest, err := renderedManifest(ctx, b.cluster, namespaceOf(pull))
		if err != nil {
			return 0, nil, err
		}
		manifests = append(manifests, manifest)
	}
	for _, pull := range pulls {
		pull.Close(false)
	}
	for _, pull := range pulls {
		if err := b.settled(ctx, pull, "| deleted |"); err != nil {
			return 0, nil, err
		}
	}
	return last, manifests, nil
}

// manyByFloor applies the manifests by as many processes at once, and returns how long it took until the last was ready.
func (b *bench) manyByFloor(ctx context.Context, repetition int, manifests []string) (last time.Duration, err error) {
	tag := fmt.Sprintf("floor-%d-%d", repetition, time.Now().Unix())
	namespaces := make([]string, len(manifests))
	texts := make([]string, len(manifests))
	for i, manifest := range manifests {
		namespaces[i] = fmt.Sprintf("floor-%d-%d", repetition, i)
		texts[i] = floorText(namespaces[i], manifest, b.cluster.Registry+"/hello:", tag)
	}
	start := time.Now()
	var all errgroup.Group
	for i, text := range texts {
		all.Go(func() error {
			_, err := b.cluster.KubectlIn(ctx, text, "apply", "-n", namespaces[i], "-f", "-")
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return 0, err
	}
	for _, namespace := range namespaces {
		ready, err := b.watch.available(ctx, namespace, tag)
		if err != nil {
			return 0, err
		}
		last = max(last, ready.Sub(start))
	}
	if _, err := b.cluster.Kubectl(ctx, slices.Concat([]string{"delete", "namespace", "--wait=false"}, namespaces)...); err != nil {
		return 0, err
	}
	for _, namespace := range namespaces {
		if _, err := b.watch.gone(ctx, namespace); err != nil {
			return 0, err
		}
	}
	return last, nil
}
