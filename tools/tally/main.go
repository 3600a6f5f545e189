// Command tally runs the tests of several modules one after the other, shows one line for each package and all of what a
// failed test said, and ends with one line: how many tests passed and how many failed.
//
//	tally [-strict] DIRECTORY... [-- FLAG...]    FLAGs go to go test
//
// Every test and subtest counts. With -strict a skipped test is a failure: where everything is installed, a test that was
// not run is one that nobody watches.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	// The go command is in the same process group and ends its tests itself; what it still says is tallied.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// errFailed says that the last line of the output tells the rest.
var errFailed = errors.New("the tests did not pass")

func run(ctx context.Context, args []string, out io.Writer) error {
	var extra []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, extra = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	strict := flags.Bool("strict", false, "a skipped test is a failure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: tally [-strict] DIRECTORY... [-- FLAG...]")
	}
	t := newTally(out)
	for _, dir := range flags.Args() {
		fmt.Fprintf(out, "== %s\n", dir)
		if err := t.test(ctx, dir, extra); err != nil {
			return err
		}
	}
	return t.close(*strict)
}

// test runs the tests of one module. An error is about running them, not about their outcome.
func (t *tally) test(ctx context.Context, dir string, extra []string) error {
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-json"}, extra, []string{"./..."})...)
	command.Dir = dir
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	events, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run the tests of %s: %w", dir, err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("run the tests of %s: %w", dir, err)
	}
	failed := t.failed
	decoder := json.NewDecoder(events)
	for {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(fmt.Errorf("read what go test says about %s: %w", dir, err), command.Wait())
		}
		t.take(e)
	}
	err = command.Wait()
	if err != nil && t.failed == failed {
		t.failed++ // what went wrong was no test: a module that does not load, a signal
		fmt.Fprintf(t.out, "FAIL  %s: go test: %v\n", dir, err)
	}
	return nil
}
