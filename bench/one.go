package main

import (
	"context"
	"fmt"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

type result struct {
	OpenedToReadyRatio float64 `json:"opened_to_ready_ratio"`
	PushToReadyRatio   float64 `json:"push_to_ready_ratio"`
	CloseToGoneRatio   float64 `json:"close_to_gone_ratio"`
	IdleRSSMiB         float64 `json:"idle_rss_mib"`
	GitHubRequests     int     `json:"github_requests"` // for one pull request opened, ready and closed
	OpenedToReadyMS    int64   `json:"opened_to_ready_ms"`
	OpenedFloorMS      int64   `json:"opened_floor_ms"`
	PushToReadyMS      int64   `json:"push_to_ready_ms"`
	PushFloorMS        int64   `json:"push_floor_ms"`
	CloseToGoneMS      int64   `json:"close_to_gone_ms"`
	CloseFloorMS       int64   `json:"close_floor_ms"`
	Repetitions        int     `json:"repetitions"`
}

// one measures one pull request at a time, from opened over pushed to closed.
func one(ctx context.Context, name string, repetitions int) (err error) {
	b, err := start(ctx, name, func(map[string]any) {})
	defer func() { err = b.end(err) }()
	if err != nil {
		return err
	}
	// The first pull request warms every cache (discovery, token, image layers of the base) and counts the requests.
	b.github.ResetCounters()
	if _, err := b.throughCatalyst(ctx, false); err != nil {
		return fmt.Errorf("%w\n%s", err, b.server.Log())
	}
	r := result{GitHubRequests: b.requests(), Repetitions: repetitions}

	var open, push, closing lap
	for i := range repetitions {
		c, err := b.throughCatalyst(ctx, true)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, b.server.Log())
		}
		f, err := b.byFloor(ctx, i, c.manifest)
		if err != nil {
			return err
		}
		fmt.Printf("%d  opened → ready %6s (floor %6s)   push → ready %6s (floor %6s)   close → gone %6s (floor %6s)\n",
			i+1, ms(c.open), ms(f.open), ms(c.push), ms(f.push), ms(c.closing), ms(f.closing))
		open.catalyst, open.floor = append(open.catalyst, c.open), append(open.floor, f.open)
		push.catalyst, push.floor = append(push.catalyst, c.push), append(push.floor, f.push)
		closing.catalyst, closing.floor = append(closing.catalyst, c.closing), append(closing.floor, f.closing)
	}
	if r.IdleRSSMiB, err = b.server.MemoryMiB(); err != nil {
		return err
	}
	r.IdleRSSMiB = tenths(r.IdleRSSMiB)
	r.OpenedToReadyRatio, r.PushToReadyRatio, r.CloseToGoneRatio = open.ratio(), push.ratio(), closing.ratio()
	r.OpenedToReadyMS, r.OpenedFloorMS = median(open.catalyst).Milliseconds(), median(open.floor).Milliseconds()
	r.PushToReadyMS, r.PushFloorMS = median(push.catalyst).Milliseconds(), median(push.floor).Milliseconds()
	r.CloseToGoneMS, r.CloseFloorMS = median(closing.catalyst).Milliseconds(), median(closing.floor).Milliseconds()
	fmt.Printf("medians: opened → ready %.3f × the floor, push → ready %.3f ×, close → gone %.3f ×; memory %.1f MiB; %d requests to GitHub\n",
		r.OpenedToReadyRatio, r.PushToReadyRatio, r.CloseToGoneRatio, r.IdleRSSMiB, r.GitHubRequests)
	return b.finish(r)
}

// times are those of one pull request, or of its floor.
type times struct {
	open, push, closing time.Duration
	manifest            string // as Catalyst rendered it for the first commit
}

// throughCatalyst opens a pull request, pushes to it if asked, and closes it. Images are there before the clock starts.
func (b *bench) throughCatalyst(ctx context.Context, push bool) (t times, err error) {
	change := func() map[string]string {
		return map[string]string{"NOTES.md": time.Now().String(), rig.SampleDeployment: b.deployment}
	}
	branch, sha, err := b.github.Commit(ctx, b.cluster, b.github.Repo.SHA("main"), change())
	if err != nil {
		return t, err
	}
	start := time.Now()
	pull := b.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Bench", Author: b.github.Author, Head: branch})
	namespace := namespaceOf(pull)
	ready, err := b.watch.available(ctx, namespace, sha)
	if err != nil {
		return t, err
	}
	t.open = ready.Sub(start)
	if t.manifest, err = renderedManifest(ctx, b.cluster, namespace); err != nil {
		return t, err
	}
	if push {
		if _, sha, err = b.github.Commit(ctx, b.cluster, sha, change()); err != nil {
			return t, err
		}
		start = time.Now()
		pull.ForcePush(sha)
		if ready, err = b.watch.available(ctx, namespace, sha); err != nil {
			return t, err
		}
		t.push = ready.Sub(start)
	}
	if err := b.settled(ctx, pull, "| success |"); err != nil {
		return t, err
	}
	start = time.Now()
	pull.Close(false)
	gone, err := b.watch.gone(ctx, namespace)
	if err != nil {
		return t, err
	}
	t.closing = gone.Sub(start)
	return t, b.settled(ctx, pull, "| deleted |")
}
