package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"

	"catalyst.dev/catalyst/localcluster/internal/cache"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

func runSetup(ctx context.Context, o options, c *cluster.Cluster, _ io.Writer) error {
	r := c.Record
	if err := setup(ctx, o, &r); err != nil {
		return err
	}
	slog.Info("set up", "cache", r.Binaries.Cache)
	return nil
}

// setup decides what kind of cluster it is to be and makes sure that everything it runs is there; both go into r.
func setup(ctx context.Context, o options, r *cluster.Record) error {
	store, err := cache.Open(slog.Default())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(store.Dir, 0o755); err != nil {
		return fmt.Errorf("make the cache directory: %w", err)
	}
	programs, err := chooseNode(ctx, o, r, store)
	if err != nil {
		return err
	}
	r.SimulatedNodes = o.simulated
	if o.simulated < 0 {
		r.SimulatedNodes = 0
		if r.Node == cluster.Simulated {
			r.SimulatedNodes = 1
		}
	}
	b := cluster.Binaries{Cache: store.Dir, Debian: programs.Root}
	if b.Kube, err = store.Kube(ctx); err != nil {
		return err
	}
	if r.Node == cluster.Real {
		if b.Pause, err = store.Pause(ctx); err != nil {
			return err
		}
		if b.CoreDNS, err = store.CoreDNS(ctx); err != nil {
			return err
		}
	}
	if r.SimulatedNodes > 0 {
		if b.Kwok, b.Stages, err = store.Kwok(ctx); err != nil {
			return err
		}
	}
	r.Binaries = b
	return nil
}

const notReal = "the node is only simulated: pods look as if they ran, but no container does, so nothing answers requests, has logs, resolves names or is kept apart by NetworkPolicy"

// chooseNode decides for a real node wherever one can run, and gives the system programs there are for it.
func chooseNode(ctx context.Context, o options, r *cluster.Record, store *cache.Cache) (cache.Programs, error) {
	root := os.Geteuid() == 0
	r.Namespaced = root
	r.Node = o.node
	var reason string
	if o.node != cluster.Simulated {
		programs, err := realPrograms(ctx, store, root)
		if err == nil {
			r.Node = cluster.Real
			return programs, nil
		}
		if o.node == cluster.Real {
			return programs, fmt.Errorf("prepare a real node: %w", err)
		}
		reason = err.Error()
		r.Node = cluster.Simulated
	}
	if reason == "" {
		reason = "as asked"
	}
	slog.Warn(notReal, "why", reason)
	programs, err := store.Debian(ctx, false)
	if err != nil {
		slog.Warn("there will be no registry either", "why", err)
	}
	if root && programs.Find("ip") == "" {
		return programs, fmt.Errorf("the program ip is missing: install Debian's iproute2")
	}
	return programs, nil
}

func realPrograms(ctx context.Context, store *cache.Cache, root bool) (cache.Programs, error) {
	if !root {
		return cache.Programs{}, fmt.Errorf("only root can run containers")
	}
	if runtime.GOOS != "linux" {
		return cache.Programs{}, fmt.Errorf("containers need Linux, this is %s", runtime.GOOS)
	}
	return store.Debian(ctx, true)
}
