// Command localcluster runs a Kubernetes cluster on this machine for development and tests: a real one in namespaces of its own
// where root and containerd can be had, one with simulated nodes elsewhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

const usage = `Usage: localcluster COMMAND [--name NAME] [FLAG...] [ARG...]

  setup                         build what a cluster runs, and download what the system lacks, into the cache
  start                         start the cluster; set up first if something is missing
  stop                          stop it, keep its state
  restart                       crash its API server and start that again, to see who lives with it
  status [-o json]              say what runs, and where
  reset                         stop it and remove its state
  kubeconfig                    print the path of its kubeconfig
  image NAME:TAG BINARY [ARG…]  pack a static binary into an image, push it to its registry, print the reference
  kubectl ARG…                  run kubectl on it

The name is catalyst unless --name or the environment variable CATALYST_CLUSTER says otherwise. Flags of start and setup:

  --node real|simulated   what runs pods: containerd, or nothing, which only looks as if (default: real if possible)
  --simulated-nodes N     nodes to simulate (default: 0 beside a real node, 1 without)
  --port N                port of the Host router on this machine's loopback (default: 7080 and up; remembered)
  --audit                 write the API server's audit log to log/audit.log in the state directory
`

// errUsage asks for the usage text besides the complaint.
var errUsage = errors.New("see localcluster help")

// options are what the flags say.
type options struct {
	name      string
	node      string
	simulated int
	port      int
	audit     bool
	output    string
	args      []string
}

func main() {
	slog.SetDefault(slog.New(&lineHandler{started: time.Now(), out: os.Stderr}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		var status exitStatus
		if errors.As(err, &status) {
			os.Exit(int(status))
		}
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var commands = map[string]func(ctx context.Context, o options, c *cluster.Cluster, stdout io.Writer) error{
	"setup":      runSetup,
	"start":      runStart,
	"stop":       runStop,
	"status":     runStatus,
	"reset":      runReset,
	"restart":    runRestart,
	"kubeconfig": runKubeconfig,
	"image":      runImage,
	"kubectl":    runKubectl,
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stdout, usage)
		return nil
	}
	if args[0] == "supervise" {
		return runSupervise(ctx, args[1:])
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("no command %q: %w", args[0], errUsage)
	}
	o, err := parse(args[0], args[1:])
	if err != nil {
		return fmt.Errorf("%s: %w: %w", args[0], err, errUsage)
	}
	c, err := cluster.Open(o.name)
	if err != nil {
		return err
	}
	return command(ctx, o, c, stdout)
}

func parse(command string, args []string) (options, error) {
	o := options{name: os.Getenv("CATALYST_CLUSTER"), simulated: -1}
	if o.name == "" {
		o.name = "catalyst"
	}
	if command == "kubectl" {
		// All but a leading --name is kubectl's, flags too.
		o.args = args
		if len(args) > 1 && args[0] == "--name" {
			o.name, o.args = args[1], args[2:]
		} else if len(args) > 0 && strings.HasPrefix(args[0], "--name=") {
			o.name, o.args = strings.TrimPrefix(args[0], "--name="), args[1:]
		}
		return o, nil
	}
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.name, "name", o.name, "")
	switch command {
	case "setup", "start":
		flags.StringVar(&o.node, "node", "", "")
		flags.IntVar(&o.simulated, "simulated-nodes", -1, "")
		flags.IntVar(&o.port, "port", 0, "")
		flags.BoolVar(&o.audit, "audit", false, "")
	case "status":
		flags.StringVar(&o.output, "o", "text", "")
	}
	err := flags.Parse(args)
	o.args = flags.Args()
	switch {
	case err != nil:
		return o, err
	case len(o.args) > 0 && command != "image":
		return o, fmt.Errorf("unexpected argument %q", o.args[0])
	case o.node != "" && o.node != cluster.Real && o.node != cluster.Simulated:
		return o, fmt.Errorf("--node %q is neither real nor simulated", o.node)
	case o.output != "" && o.output != "text" && o.output != "json":
		return o, fmt.Errorf("-o %q is neither text nor json", o.output)
	}
	return o, nil
}

// exitStatus ends the program with the status of the one it ran, which has said why itself.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// lineHandler writes progress for people: seconds since the start, what, and the details.
type lineHandler struct {
	started time.Time
	out     io.Writer
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *lineHandler) WithGroup(string) slog.Handler                { return h }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1fs  ", r.Time.Sub(h.started).Seconds())
	if r.Level > slog.LevelInfo {
		fmt.Fprintf(&b, "%s: ", strings.ToLower(r.Level.String()))
	}
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, "; %s: %v", a.Key, a.Value)
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(h.out, b.String())
	return err
}
