// Command testbed runs a command with a local cluster behind it. It starts the cluster when it does not run, and tells the
// command where it is: CATALYST_TEST_CLUSTER (its name), CATALYST_TEST_KUBECONFIG, CATALYST_TEST_REGISTRY (host:port) and
// CATALYST_TEST_ROUTER (the URL under which its Ingresses are reached).
//
//	testbed [-stop] [-simulated] [-localcluster DIRECTORY] NAME COMMAND [ARG...]
//
// The cluster stays, so that the next run begins at once; with -stop a cluster that was started here is stopped again,
// whatever became of the command. With -simulated its nodes are: for tests of many pods that nobody looks into. The exit code is the
// command's.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	err := run(os.Args[1:])
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testbed:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	flags := flag.NewFlagSet("testbed", flag.ContinueOnError)
	stop := flags.Bool("stop", false, "stop the cluster afterwards when it did not run before")
	simulated := flags.Bool("simulated", false, "start the cluster with simulated nodes")
	source := flags.String("localcluster", "localcluster", "the directory of the localcluster program")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return errors.New("usage: testbed [-stop] [-simulated] [-localcluster DIRECTORY] NAME COMMAND [ARG...]")
	}
	c := cluster{source: *source, name: flags.Arg(0)}

	// A signal is for the command; the cluster is stopped after it, so this program outlives both.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	before, err := c.status()
	if err != nil {
		return err
	}
	if *stop && before.State != "running" {
		defer func() {
			if stopped := c.run("stop"); err == nil {
				err = stopped
			}
		}()
	}
	var nodes []string
	if *simulated {
		nodes = []string{"--node", "simulated", "--simulated-nodes", "4"}
	}
	if err := c.run("start", nodes...); err != nil {
		return err
	}
	now, err := c.status()
	if err != nil {
		return err
	}
	if now.State != "running" {
		return fmt.Errorf("cluster %s is %s after its start; see its logs: go -C %s run . status --name %s", c.name, now.State, c.source, c.name)
	}
	command := exec.Command(flags.Arg(1), flags.Args()[2:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(),
		"CATALYST_TEST_CLUSTER="+c.name,
		"CATALYST_TEST_KUBECONFIG="+now.Kubeconfig,
		"CATALYST_TEST_REGISTRY="+now.Registry,
		"CATALYST_TEST_ROUTER="+now.RouterURL)
	if err := command.Start(); err != nil {
		return fmt.Errorf("run %s: %w", flags.Arg(1), err)
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = command.Process.Signal(s) // it may have ended in the meantime, which done tells
		case err := <-done:
			return err
		}
	}
}

// status is what `localcluster status -o json` says, as far as it is used here.
type status struct {
	State      string `json:"state"`
	Kubeconfig string `json:"kubeconfig"`
	Registry   string `json:"registry"`
	RouterURL  string `json:"router_url"`
}

// cluster is a local cluster by name.
type cluster struct{ source, name string }

func (c cluster) command(verb string, args ...string) *exec.Cmd {
	command := exec.Command("go", append([]string{"-C", c.source, "run", ".", verb, "--name", c.name}, args...)...)
	command.Stderr = os.Stderr
	return command
}

func (c cluster) run(verb string, args ...string) error {
	command := c.command(verb, args...)
	command.Stdout = os.Stderr // the results are the command's
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s the local cluster %s, see above (%s)", verb, c.name, err) //nolint:errorlint // its exit code is not the command's
	}
	return nil
}

func (c cluster) status() (status, error) {
	var s status
	out, err := c.command("status", "-o", "json").Output()
	if err != nil {
		return s, fmt.Errorf("ask for the local cluster %s, see above (%s)", c.name, err) //nolint:errorlint // its exit code is not the command's
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("read the status of the local cluster %s: %w", c.name, err)
	}
	return s, nil
}
