package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/component"
	"catalyst.dev/catalyst/localcluster/internal/pki"
	"catalyst.dev/catalyst/localcluster/internal/process"
	"catalyst.dev/catalyst/localcluster/internal/space"
	"catalyst.dev/catalyst/localcluster/internal/supervisor"
)

// firstPort is the Host router's port in the first cluster.
const firstPort = 7080

// moment is how long a supervisor found running is given to prove that it was not just killed.
const moment = 300 * time.Millisecond

func runStart(ctx context.Context, o options, c *cluster.Cluster, stdout io.Writer) error {
	unlock, err := c.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if c, err = cluster.OpenDir(c.Dir); err != nil { // again, now that nobody else changes it
		return err
	}
	if !gone(c.Supervisor, moment) { // one that was just killed takes a moment to die
		slog.Info("cluster " + c.Name + " runs already")
		return printStatus(c, "text", stdout)
	}
	if err := clean(c); err != nil {
		return err
	}
	if err := setup(ctx, o, &c.Record); err != nil {
		return err
	}
	if err := prepare(c, o); err != nil {
		return err
	}
	slog.Info("starting cluster "+c.Name, "node", c.Node, "state", c.Dir)
	if err := launch(ctx, c); err != nil {
		return fmt.Errorf("start cluster %s: %w", c.Name, err)
	}
	return printStatus(c, "text", stdout)
}

// prepare gives the cluster its addresses, directories, certificates and control group.
func prepare(c *cluster.Cluster, o options) error {
	if err := c.Allocate(); err != nil {
		return err
	}
	if o.port != 0 {
		c.Port = o.port
	}
	if c.Port == 0 {
		c.Port = firstPort + c.Index
	}
	c.Audit, c.Hardware = o.audit, space.NewHardware()
	if err := c.Save(); err != nil {
		return err
	}
	for _, dir := range []string{"log", "home", "config"} {
		if err := os.MkdirAll(c.Path(dir), 0o755); err != nil {
			return fmt.Errorf("make the state directory: %w", err)
		}
	}
	a := c.Addresses()
	err := pki.Ensure(pki.Options{Dir: c.Path("pki"), Cluster: c.Name, Server: a.APIServer(), NodeName: component.NodeName, NodeIP: a.NodeIP, ServiceIP: a.ServiceIP})
	if err != nil {
		return err
	}
	admin, err := os.ReadFile(c.Path("pki", "admin.kubeconfig"))
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := cluster.WriteFile(c.Path("kubeconfig"), admin, 0o600); err != nil {
		return err
	}
	if c.Node != cluster.Real {
		return nil
	}
	return space.CreateCgroup(c.CgroupRoot())
}

// launch starts the supervisor and follows it until the cluster is ready. If it never is, nothing is left running.
func launch(ctx context.Context, c *cluster.Cluster) (err error) {
	listener, err := listen(c.Port)
	if err != nil {
		return err
	}
	defer listener.Close()
	progress, progressEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer progress.Close()
	attached, attachedEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer attachedEnd.Close()
	pid, err := spawn(c, listener, progressEnd, attached)
	progressEnd.Close()
	attached.Close()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, halt(c))
		}
	}()
	if c.Supervisor, err = process.Of(pid); err != nil {
		return err
	}
	if err := c.Save(); err != nil {
		return err
	}
	if c.Namespaced {
		if err := space.Attach(cache.Programs{Root: c.Binaries.Debian}, c.Addresses(), c.Hardware, pid); err != nil {
			return err
		}
	}
	attachedEnd.Close()
	return follow(ctx, c, progress)
}

// spawn starts this program again as the supervisor, with its files as descriptors 3, 4 and 5.
func spawn(c *cluster.Cluster, files ...*os.File) (pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	log, err := os.OpenFile(c.Path("log", "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(self, "supervise", c.Dir)
	cmd.Dir = c.Dir
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.Namespaced {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the supervisor: %w", err)
	}
	go func() { _ = cmd.Wait() }() // else it would look alive after its end for as long as this command runs
	return cmd.Process.Pid, nil
}

// follow shows the supervisor's progress.
func follow(ctx context.Context, c *cluster.Cluster, progress *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = progress.SetReadDeadline(time.Now()) })
	defer stop()
	lines := bufio.NewScanner(progress)
	for lines.Scan() {
		slog.Info(lines.Text())
		if lines.Text() == supervisor.Ready {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("it did not become ready; the end of %s:\n%s", c.Path("log", "supervisor.log"), tail(c.Path("log", "supervisor.log"), 15))
}

func listen(port int) (*os.File, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen for the Host router (choose another with --port): %w", err)
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}
