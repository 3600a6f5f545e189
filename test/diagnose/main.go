// Command diagnose deploys broken charts, and some that only look broken, on a real cluster, and compares what Catalyst says about
// each with what is wrong with it. It prints a table and, as its last line, the sums as JSON; the exit code is 1 when something was
// said wrongly. `make diagnose-table` starts a local cluster and runs it there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.only, "run", "", "play only the charts that this regular expression matches")
	flag.BoolVar(&o.long, "long", true, "play also those that take minutes")
	flag.IntVar(&o.atOnce, "parallel", 12, "charts at the same time: what nodes tell late, on a machine of two cores, is told of late")
	flag.StringVar(&o.record, "record", "", "write what each failure rests on into this directory")
	flag.BoolVar(&o.verbose, "v", false, "print each diagnosis")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "diagnose:", err)
		os.Exit(1)
	}
}

type options struct {
	only          string
	long, verbose bool
	atOnce        int
	record        string
}

func run(ctx context.Context, o options) error {
	kubeconfig, registry := os.Getenv("CATALYST_TEST_KUBECONFIG"), os.Getenv("CATALYST_TEST_REGISTRY")
	if kubeconfig == "" || registry == "" {
		return errors.New("CATALYST_TEST_KUBECONFIG and CATALYST_TEST_REGISTRY are not set: `make diagnose-table` starts a cluster and sets them")
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	t, err := open(ctx, kubeconfig, registry)
	defer t.render.Close() //nolint:staticcheck // it is there whatever else could not be had
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(scenes(t.images), func(s scene) bool { return s.long && !o.long || !only.MatchString(s.name) })
	heading(os.Stdout)
	results := t.play(ctx, all, o.atOnce, func(r result) {
		row(os.Stdout, r)
		if o.verbose && r.said != nil {
			fmt.Printf("    %s\n    fix: %s\n", r.said.Sentence(), r.said.Fix)
			for _, line := range r.said.Evidence {
				fmt.Printf("    | %s\n", line)
			}
		}
	})
	if o.record != "" {
		if err := record(o.record, registry, results); err != nil {
			return err
		}
	}
	s := sum(results)
	fmt.Println(s)
	if s.Wrong > 0 {
		return fmt.Errorf("%d of %d diagnoses are wrong", s.Wrong, s.Cases)
	}
	return nil
}
