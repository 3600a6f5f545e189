// Command bench measures how long a pull request takes through Catalyst, against the floor: `kubectl apply` of the same
// rendered manifests, namespace included, on the same cluster in the same run. One watch sees both, so both are measured by the
// same clock to the same condition.
//
// The last line is one JSON object for scripts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

func main() {
	repetitions := flag.Int("n", 5, "repetitions; the medians count")
	name := flag.String("name", "bench", "name of the local cluster")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *name, *repetitions)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// limit is how long one measured step may take.
const limit = 3 * time.Minute

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

// lap holds the times of one step, through Catalyst and by the floor.
type lap struct{ catalyst, floor []time.Duration }

func (l lap) ratio() float64 {
	return float64(int(1000*median(l.catalyst).Seconds()/median(l.floor).Seconds()+0.5)) / 1000
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}

// deploymentFile is the sample's only workload.
const deploymentFile = "chart/templates/deployment.yaml"

// withoutProbe takes the readiness probe out of the sample's Deployment, for Catalyst and the floor alike. The kubelet asks once a second:
// whether the first question comes just before or just after the program listens would add a second to either side by chance, which is
// more than all the rest.
func withoutProbe() (string, error) {
	root, err := rig.Root()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(root, "examples", "hello", deploymentFile))
	if err != nil {
		return "", err
	}
	var kept []string
	skip := false
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "          readinessProbe:") {
			skip = true
			continue
		}
		if skip = skip && strings.HasPrefix(line, "            "); !skip {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n"), nil
}

// bench is one run.
type bench struct {
	deployment string // the sample's, without its probe
	cluster    *rig.Cluster
	github     *rig.GitHub
	watch      *watch
}

func run(ctx context.Context, name string, repetitions int) (err error) {
	b := &bench{}
	if b.deployment, err = withoutProbe(); err != nil {
		return err
	}
	if b.cluster, err = rig.StartCluster(ctx, name, os.Stderr); err != nil {
		return err
	}
	binary, err := rig.BuildCatalyst(ctx)
	if err != nil {
		return err
	}
	listen, err := rig.FreeAddress()
	if err != nil {
		return err
	}
	if b.github, err = rig.StartGitHub("http://"+listen+"/webhooks/github", slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer b.github.Stop()
	dir, err := os.MkdirTemp("", "catalyst-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config := rig.Config(listen, b.github, b.cluster)
	config["log"] = map[string]any{"level": "info"}
	server, err := rig.StartCatalyst(ctx, binary, dir, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if b.watch, err = startWatch(ctx, b.cluster); err != nil {
		return err
	}
	defer b.watch.stop()

	// The first pull request warms every cache (discovery, token, image layers of the base) and counts the requests.
	if err := rig.Until(ctx, limit, "the first sweep is over", func() (bool, error) {
		return b.github.Counters()["GET /app/hook/deliveries"] > 0, nil
	}); err != nil {
		return err
	}
	b.github.ResetCounters()
	if _, err := b.throughCatalyst(ctx, false); err != nil {
		return fmt.Errorf("%w\n%s", err, server.Log())
	}
	r := result{GitHubRequests: b.requests(), Repetitions: repetitions}

	var open, push, closing lap
	for i := range repetitions {
		c, err := b.throughCatalyst(ctx, true)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, server.Log())
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
	if r.IdleRSSMiB, err = server.MemoryMiB(); err != nil {
		return err
	}
	r.IdleRSSMiB = float64(int(r.IdleRSSMiB*10)) / 10
	r.OpenedToReadyRatio, r.PushToReadyRatio, r.CloseToGoneRatio = open.ratio(), push.ratio(), closing.ratio()
	r.OpenedToReadyMS, r.OpenedFloorMS = median(open.catalyst).Milliseconds(), median(open.floor).Milliseconds()
	r.PushToReadyMS, r.PushFloorMS = median(push.catalyst).Milliseconds(), median(push.floor).Milliseconds()
	r.CloseToGoneMS, r.CloseFloorMS = median(closing.catalyst).Milliseconds(), median(closing.floor).Milliseconds()
	for _, v := range b.github.Violations() {
		return errors.New(v.String())
	}
	fmt.Printf("medians: opened → ready %.3f × the floor, push → ready %.3f ×, close → gone %.3f ×; memory %.1f MiB; %d requests to GitHub\n",
		r.OpenedToReadyRatio, r.PushToReadyRatio, r.CloseToGoneRatio, r.IdleRSSMiB, r.GitHubRequests)
	fmt.Println(rig.JSON(r))
	return nil
}

// requests counts what one pull request costs: the token with it, which is minted once an hour for all, and without what the sweep asks about
// failed deliveries, which concern no pull request.
func (b *bench) requests() int {
	n, minted := 0, false
	for _, r := range b.github.Requests() {
		if !strings.HasPrefix(r.Path, "/app/hook/") {
			n++
		}
		minted = minted || strings.HasSuffix(r.Path, "/access_tokens")
	}
	if !minted {
		n++
	}
	return n
}

func ms(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// times are those of one pull request, or of its floor.
type times struct {
	open, push, closing time.Duration
	manifest            string // as Catalyst rendered it for the first commit
}

// throughCatalyst opens a pull request, pushes to it if asked, and closes it. Images are there before the clock starts.
func (b *bench) throughCatalyst(ctx context.Context, push bool) (t times, err error) {
	change := func() map[string]string {
		return map[string]string{"NOTES.md": time.Now().String(), deploymentFile: b.deployment}
	}
	branch, sha, err := b.github.Commit(ctx, b.cluster, b.github.Repo.SHA("main"), change())
	if err != nil {
		return t, err
	}
	start := time.Now()
	pull := b.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Bench", Author: b.github.Author, Head: branch})
	namespace := fmt.Sprintf("pr-hello-%d", pull.Number())
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

// settled waits until the comment says so, so that nothing of one step runs into the next one's time.
func (b *bench) settled(ctx context.Context, pull *fakegithub.Pull, word string) error {
	return rig.Until(ctx, limit, "the comment says "+word, func() (bool, error) {
		for _, c := range pull.Comments() {
			if strings.Contains(c.Body, word) {
				return true, nil
			}
		}
		return false, nil
	})
}
