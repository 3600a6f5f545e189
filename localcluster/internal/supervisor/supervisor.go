// Package supervisor runs the components of one cluster, from inside the cluster's namespaces when it has some: it starts them
// in order, tells when the cluster is ready, watches them, and ends them in order. It restarts nothing by itself; SIGHUP has it
// crash the API server and start it again, for tests of who has to live with that.
package supervisor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/api"
	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/component"
	"catalyst.dev/catalyst/localcluster/internal/space"
)

// Ready is the last line a supervisor writes to its progress file.
const Ready = "ready"

// Files are what a supervisor is given besides the cluster's record.
type Files struct {
	Listener *os.File // the Host router's socket, listening outside of the cluster's network
	Progress *os.File // gets a line for each thing that works, then Ready, and is closed
	Attached *os.File // ends once the machine has put the network device into the namespace
}

// Supervisor is the state of one run.
type Supervisor struct {
	cluster *cluster.Cluster
	set     component.Set
	files   Files
	family  *family
	api     *api.Client
	began   string // when, as Kubernetes writes times

	mu         sync.Mutex
	state      string
	components []*running
}

// Run starts the cluster in dir and keeps it until ctx ends, then stops it. The error is why it never became ready.
func Run(ctx context.Context, dir string, files Files) error {
	c, err := cluster.OpenDir(dir)
	if err != nil {
		return err
	}
	if c.Namespaced {
		if err := enter(c, files.Attached); err != nil {
			return err
		}
	}
	client, err := api.New(c.Addresses().APIServer(), c.Path("pki"))
	if err != nil {
		return err
	}
	s := &Supervisor{cluster: c, set: component.Of(c), files: files, family: newFamily(), api: client, state: cluster.Starting,
		began: time.Now().UTC().Format(time.RFC3339)}
	defer s.shutdown()
	restarts := make(chan os.Signal, 1)
	signal.Notify(restarts, syscall.SIGHUP)
	err = s.bringUp(ctx)
	if err != nil && ctx.Err() == nil {
		return err
	}
	if err == nil {
		s.setState(cluster.Running)
		s.progress(Ready)
	}
	files.Progress.Close()
	s.watch(ctx, restarts)
	return nil
}

func enter(c *cluster.Cluster, attached *os.File) error {
	if err := space.Enter(c.Dir, c.Binaries.Cache); err != nil {
		return err
	}
	if _, err := io.ReadAll(attached); err != nil {
		return fmt.Errorf("wait for the network device: %w", err)
	}
	p := cache.Programs{Root: c.Binaries.Debian}
	if err := space.Connect(p, c.Addresses()); err != nil || c.Node != cluster.Real {
		return err
	}
	return space.Masquerade(p, c.Addresses())
}

// watch reports components that end until ctx does, and restarts the API server when it is asked to.
func (s *Supervisor) watch(ctx context.Context, restarts <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.family.ended:
			s.report(r)
		case <-restarts:
			if err := s.restartAPIServer(ctx); err != nil {
				slog.Error("restart the API server", "error", err)
				s.setState(cluster.Degraded)
			}
		}
	}
}

// report says that a component has ended which should not.
func (s *Supervisor) report(r *running) {
	slog.Error("component ended", "component", r.name, "how", r.exit, "last log lines", s.lastLines(r.name))
	s.setState(cluster.Degraded)
}

func (s *Supervisor) start(c component.Component, err error) error {
	if err != nil {
		return fmt.Errorf("configure %s: %w", c.Name, err)
	}
	r, err := s.family.start(c, s.set.Env(), s.logFile(c.Name))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.components = append(s.components, r)
	s.mu.Unlock()
	return s.writeStatus()
}

// await polls check until it says nil, and gives up when a component ends or two minutes have passed.
func (s *Supervisor) await(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("not within two minutes"))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			s.progress(what)
			return nil
		}
		select {
		case r := <-s.family.ended:
			return fmt.Errorf("wait for %s: %s ended with %s; the end of its log:\n%s", what, r.name, r.exit, s.lastLines(r.name))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last: %w); logs are in %s", what, context.Cause(ctx), err, s.cluster.Path("log"))
		case <-tick.C:
		}
	}
}

func (s *Supervisor) progress(what string) {
	slog.Info("progress", "what", what)
	fmt.Fprintln(s.files.Progress, what)
}

func (s *Supervisor) setState(state string) {
	s.mu.Lock()
	s.state = state
	s.mu.Unlock()
	if err := s.writeStatus(); err != nil {
		slog.Error("write status", "error", err)
	}
}

func (s *Supervisor) writeStatus() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := cluster.Status{State: s.state}
	for _, r := range s.components {
		c := cluster.Component{Name: r.name, Inner: r.id, Alive: r.alive()}
		if !c.Alive {
			c.Exit = r.exit
		}
		st.Components = append(st.Components, c)
	}
	return cluster.WriteJSON(s.cluster.Path("status.json"), st)
}

func (s *Supervisor) logFile(name string) string { return s.cluster.Path("log", name+".log") }

func (s *Supervisor) lastLines(name string) string {
	b, err := os.ReadFile(s.logFile(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
