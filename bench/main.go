// Command bench measures how long a pull request takes through Catalyst, against the floor: `kubectl apply` of the same
// rendered manifests, namespace included, on the same cluster in the same run. One watch sees both, so both are measured by the
// same clock to the same condition. With -pulls 50 it opens fifty at once, against fifty such processes at once.
//
// The last line is one JSON object for scripts.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

func main() {
	repetitions := flag.Int("n", 5, "repetitions; the medians count")
	pulls := flag.Int("pulls", 1, "pull requests opened at once; with more than one, the nodes are simulated and the last one counts")
	deployments := flag.Int("deployments", 0, "deployments at once, with -pulls (default: the product's own)")
	name := flag.String("name", "", "name of the local cluster (default: bench, or bench-many)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *pulls > 1 {
		err = many(ctx, cmp.Or(*name, "bench-many"), *pulls, *deployments, *repetitions)
	} else {
		err = one(ctx, cmp.Or(*name, "bench"), *repetitions)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

const (
	limit       = 3 * time.Minute  // for one measured step
	settleLimit = 10 * time.Minute // for what is not measured: GitHub takes about one comment a second, and fifty previews have two to write
)

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

// bench is one run: a Catalyst as it is released, a GitHub and a cluster.
type bench struct {
	deployment string // the sample's, without its probe
	cluster    *rig.Cluster
	github     *rig.GitHub
	server     *rig.Catalyst
	watch      *watch
	undo       []func() error
}

// start sets a run up, on a local cluster that is started with the flags, and returns when the first sweep is over. change may
// change Catalyst's configuration. Call end in any case.
func start(ctx context.Context, name string, change func(config map[string]any), flags ...string) (b *bench, err error) {
	b = &bench{}
	if b.deployment, err = rig.WithoutProbe(); err != nil {
		return b, err
	}
	if b.cluster, err = rig.StartCluster(ctx, name, os.Stderr, flags...); err != nil {
		return b, err
	}
	binary, err := rig.BuildCatalyst(ctx)
	if err != nil {
		return b, err
	}
	listen, err := rig.FreeAddress()
	if err != nil {
		return b, err
	}
	if b.github, err = rig.StartGitHub("http://"+listen+"/webhooks/github", slog.New(slog.DiscardHandler)); err != nil {
		return b, err
	}
	b.undo = append(b.undo, func() error { b.github.Stop(); return nil })
	dir, err := os.MkdirTemp("", "catalyst-bench-")
	if err != nil {
		return b, err
	}
	b.undo = append(b.undo, func() error { return os.RemoveAll(dir) })
	config := rig.Config(listen, b.github, b.cluster)
	config["log"] = map[string]any{"level": "info"}
	change(config)
	if b.server, err = rig.StartCatalyst(ctx, binary, dir, config); err != nil {
		return b, err
	}
	b.undo = append(b.undo, b.server.Stop)
	if b.watch, err = startWatch(ctx, b.cluster); err != nil {
		return b, err
	}
	b.undo = append(b.undo, func() error { b.watch.stop(); return nil })
	return b, rig.Until(ctx, limit, "the first sweep is over", func() (bool, error) {
		return b.github.Counters()["GET /app/hook/deliveries"] > 0, nil
	})
}

// end undoes what start did, the last first, and adds what goes wrong to err. The cluster stays, for the next run.
func (b *bench) end(err error) error {
	for _, undo := range slices.Backward(b.undo) {
		err = errors.Join(err, undo())
	}
	return err
}

// finish checks that GitHub would have accepted all of it, and prints the result for scripts.
func (b *bench) finish(result any) error {
	for _, v := range b.github.Violations() {
		return errors.New(v.String())
	}
	fmt.Println(rig.JSON(result))
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

func tenths(x float64) float64 { return float64(int(x*10)) / 10 }

// namespaceOf is where the pull request's preview is.
func namespaceOf(pull *fakegithub.Pull) string { return fmt.Sprintf("pr-hello-%d", pull.Number()) }

func ms(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// settled waits until the comment says so, so that nothing of one step runs into the next one's time.
func (b *bench) settled(ctx context.Context, pull *fakegithub.Pull, word string) error {
	return rig.Until(ctx, settleLimit, "the comment says "+word, func() (bool, error) {
		for _, c := range pull.Comments() {
			if strings.Contains(c.Body, word) {
				return true, nil
			}
		}
		return false, nil
	})
}
