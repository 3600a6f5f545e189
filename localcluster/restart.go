package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/process"
)

// restartLimit is how long the API server may take to be ready again.
const restartLimit = 2 * time.Minute

// runRestart has the supervisor crash the API server and start it again, and returns when it is ready.
func runRestart(ctx context.Context, _ options, c *cluster.Cluster, _ io.Writer) error {
	unlock, err := c.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	before, err := c.ReadStatus()
	if err != nil {
		return err
	}
	if before.State != cluster.Running {
		return fmt.Errorf("cluster %s is %s: start it first", c.Name, before.State)
	}
	if err := c.Supervisor.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("ask the supervisor of cluster %s: %w", c.Name, err)
	}
	for deadline := time.Now().Add(restartLimit); ; time.Sleep(50 * time.Millisecond) {
		now, err := c.ReadStatus()
		if err != nil {
			return err
		}
		switch {
		case now.State == cluster.Running && apiServer(now) != apiServer(before):
			slog.Info("restarted the API server of cluster " + c.Name)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case now.State == cluster.Degraded, now.State == cluster.Stopped, time.Now().After(deadline):
			return fmt.Errorf("the API server of cluster %s is not ready again, the cluster is %s; logs are in %s", c.Name, now.State, c.Path("log"))
		}
	}
}

// apiServer is the process that was last known as the API server.
func apiServer(s cluster.Status) process.ID {
	i := slices.IndexFunc(s.Components, func(p cluster.Component) bool { return p.Name == "kube-apiserver" })
	if i < 0 {
		return process.ID{}
	}
	return s.Components[i].Inner
}
