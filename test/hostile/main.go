package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/internal/render"
	"catalyst.dev/catalyst/test/rig"
)

func main() {
	only := flag.String("run", "", "only charts whose name has this in it, and no honest preview; \"honest\": that alone")
	name := flag.String("name", "bench", "name of the local cluster for the honest preview; \"\" leaves it out")
	repetitions := flag.Int("n", 15, "honest deployments alone, and beside hostile ones; the medians count")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, *only, *name, *repetitions)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hostile: %v\n", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// result is the last line.
type result struct {
	Cases         int     `json:"cases"`
	Named         int     `json:"named"`  // ended as they had to
	Leaked        int     `json:"leaked"` // requests to the server, and charts that told the canary
	WorstSeconds  float64 `json:"worst_seconds"`
	WorstMiB      float64 `json:"worst_growth_mib"`
	HonestRatio   float64 `json:"honest_ratio"` // beside hostile charts to alone; 0: not measured
	HonestAloneMS int64   `json:"honest_alone_ms"`
}

func run(ctx context.Context, only, cluster string, repetitions int) (ok bool, err error) {
	f, err := newField(render.DefaultLimits)
	if err != nil {
		return false, err
	}
	defer f.close()
	var r result
	for _, h := range corpus(f.bait) {
		if !strings.Contains(h.name, only) {
			continue
		}
		o, growth := f.watched(ctx, h)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		r.Cases++
		if len(o.wrong) == 0 {
			r.Named++
		}
		if strings.Contains(strings.Join(o.wrong, " "), "canary") {
			r.Leaked++
		}
		r.WorstSeconds = max(r.WorstSeconds, float64(o.took.Round(100*time.Millisecond))/float64(time.Second))
		r.WorstMiB = max(r.WorstMiB, float64(growth>>10)/1024)
		fmt.Println(line(h, o, growth))
	}
	r.Leaked += int(f.hits.Load())
	ok = r.Cases == r.Named && r.Leaked == 0
	if cluster != "" && (only == "" || only == "honest") {
		if err := f.honest(ctx, cluster, repetitions, &r); err != nil {
			return false, err
		}
		ok = ok && r.HonestRatio <= maxRatio
	}
	fmt.Println(rig.JSON(r))
	return ok, nil
}

func line(h hostile, o outcome, growth int64) string {
	verdict := "ok  "
	if len(o.wrong) > 0 {
		verdict = "FAIL"
	}
	cause := o.cause
	if len(cause) > 110 {
		cause = strings.ToValidUTF8(cause[:110], "") + "…"
	}
	text := fmt.Sprintf("%s %-38s %6.2fs %+5.1f MiB  %-13s %s", verdict, h.name, o.took.Seconds(), float64(growth)/(1<<20), o.code, cause)
	for _, w := range o.wrong {
		text += "\n     " + w
	}
	return text
}
