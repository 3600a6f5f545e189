package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/process"
	"catalyst.dev/catalyst/localcluster/internal/space"
)

// patience is how long a supervisor may take to stop its cluster before it is killed.
const patience = 15 * time.Second

func runStop(_ context.Context, _ options, c *cluster.Cluster, _ io.Writer) error {
	unlock, err := c.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	return stop(c.Dir)
}

func runReset(_ context.Context, _ options, c *cluster.Cluster, _ io.Writer) error {
	unlock, err := c.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := stop(c.Dir); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return fmt.Errorf("remove the state of cluster %s: %w", c.Name, err)
	}
	slog.Info("removed", "state", c.Dir)
	return nil
}

// stop ends the cluster in dir; the caller holds its lock.
func stop(dir string) error {
	c, err := cluster.OpenDir(dir)
	if err != nil {
		return err
	}
	running := c.Supervisor.Alive()
	if err := halt(c); err != nil {
		return fmt.Errorf("stop cluster %s: %w", c.Name, err)
	}
	if running {
		slog.Info("stopped cluster " + c.Name)
	} else {
		slog.Info("cluster " + c.Name + " does not run")
	}
	return nil
}

// halt ends the supervisor, which ends the rest, and removes what is left.
func halt(c *cluster.Cluster) error {
	if err := c.Supervisor.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if !gone(c.Supervisor, patience) {
		slog.Warn("the supervisor does not end and is killed", "pid", c.Supervisor.PID)
		if err := c.Supervisor.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		if !gone(c.Supervisor, patience) {
			return fmt.Errorf("the supervisor, process %d, survives being killed", c.Supervisor.PID)
		}
	}
	return clean(c)
}

func gone(id process.ID, wait time.Duration) bool {
	for deadline := time.Now().Add(wait); id.Alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// clean removes what outlives a dead supervisor: control groups, and without namespaces processes.
func clean(c *cluster.Cluster) error {
	if !c.Known() {
		return nil
	}
	status, err := c.ReadStatus()
	if err != nil {
		return err
	}
	if !c.Namespaced {
		for _, p := range status.Components {
			if err := p.Inner.Signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
		for _, p := range status.Components {
			if !gone(p.Inner, patience) {
				return fmt.Errorf("%s, process %d, survives being killed", p.Name, p.Inner.PID)
			}
		}
		return nil
	}
	if err := space.Detach(cache.Programs{Root: c.Binaries.Debian}, c.Addresses(), c.Hardware); err != nil {
		return err
	}
	return space.RemoveCgroup(c.CgroupRoot())
}
