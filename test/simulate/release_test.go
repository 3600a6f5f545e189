package simulate

import (
	"context"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// Deploy implements worker.Deployer: it looks, records the revision, applies in several writes and records the end.
func (p *process) Deploy(ctx context.Context, r cluster.DeployRequest) (cluster.Deployed, error) {
	k, id := p.w.kube, r.Identity
	var half bool
	err := p.see(ctx, id, func() error {
		ns, err := k.live(id)
		if err == nil && ns.leaving {
			err = fmt.Errorf("namespace is being deleted: %w", preview.ErrNotReady)
		}
		half = err == nil && ns.pending
		return err
	})
	if err != nil {
		return cluster.Deployed{}, fmt.Errorf("deploy to %s: %w", id.Namespace, err)
	}
	does := p.w.classOf(r.Version)
	// A write goes by the namespace's name; the server lets none into one that is going.
	into := func(do func(*namespace)) func() error {
		return func() error {
			ns := k.namespaces[id.Namespace]
			if ns == nil {
				return fmt.Errorf("namespace %s: %w", id.Namespace, preview.ErrNotFound)
			}
			p.w.checkTarget(p, id, ns)
			if ns.leaving {
				return fmt.Errorf("403 the namespace is terminating: %w", preview.ErrNotReady)
			}
			do(ns)
			k.change()
			return nil
		}
	}
	var writes []func() error
	if half {
		p.w.mu.Lock()
		p.w.hit("release left half-done")
		p.w.mu.Unlock()
		writes = append(writes, into(func(ns *namespace) { ns.pending = false }))
	}
	writes = append(writes, into(func(ns *namespace) { ns.pending = true }))
	for range 2 {
		writes = append(writes, into(func(ns *namespace) {
			if does != refused {
				ns.version, ns.ready, ns.failing = r.Version, time.Time{}, false
			}
		}))
	}
	for _, write := range writes {
		p.w.checkDeploy(ctx, p, id, r.Version)
		if err := p.change(ctx, id, false, write); err != nil {
			_ = p.change(ctx, id, true, into(func(ns *namespace) { ns.pending = false })) // the record may say "failed" after the end
			return cluster.Deployed{}, fmt.Errorf("deploy to %s: %w", id.Namespace, err)
		}
	}
	err = p.change(ctx, id, false, into(func(ns *namespace) {
		ns.pending = false
		switch ns.failing = does == crashes; does {
		case slow:
			ns.ready = time.Now().Add(70 * time.Second)
		case good:
			ns.ready = time.Now().Add(time.Duration(500+p.w.roll(9, ofNature, 6)%9500) * time.Millisecond)
		}
	}))
	if err == nil && does == refused {
		return cluster.Deployed{}, preview.Fail(nil, preview.Diagnosis{Code: preview.CodeApply, Cause: "an object is refused", Blame: preview.BlameChange})
	}
	return cluster.Deployed{Revision: 1}, err
}

// WaitReady implements worker.Deployer.
func (p *process) WaitReady(ctx context.Context, id cluster.Identity, _ []cluster.ObjectRef, limit time.Duration, progress func(cluster.Progress)) error {
	progress(cluster.Progress{Total: 1})
	begun := time.Now()
	for {
		if err := p.gate(); err != nil {
			return err
		}
		p.w.mu.Lock()
		changed, wait, now := p.w.kube.watch(), 10*time.Second, time.Now()
		ns, err := p.w.kube.live(id)
		down := p.cluster() != nil
		ready, failed := false, false
		if !down && err == nil && !ns.leaving {
			ready = !ns.ready.IsZero() && !ns.ready.After(now) && !ns.sick.After(now)
			failed = ns.failing && now.Sub(begun) > 3*time.Second
			if ready {
				ns.answered[ns.version] = true
			} else if ns.ready.After(now) {
				wait = min(wait, ns.ready.Sub(now))
			}
		}
		p.w.mu.Unlock()
		switch left := limit - time.Since(begun); {
		case ready:
			return nil
		case failed:
			return preview.Fail(nil, preview.Diagnosis{Code: preview.CodeRollout, Cause: "it crashes", Blame: preview.BlameChange})
		case left <= 0 && down:
			return fmt.Errorf("wait for %s to be ready: %w", id.Namespace, errCluster)
		case left <= 0:
			return preview.Fail(nil, preview.Diagnosis{Code: preview.CodeTimeout, Cause: "not ready in time", Blame: preview.BlameUnknown})
		default:
			wait = min(wait, left)
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("wait for %s to be ready: %w", id.Namespace, ctx.Err())
		case <-changed:
		case <-again.C:
		}
		again.Stop()
		if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))) {
			return ctx.Err()
		}
	}
}

// URL implements worker.Deployer.
func (p *process) URL(ctx context.Context, id cluster.Identity, _ []cluster.ObjectRef, host string) (string, error) {
	return "http://" + host, p.see(ctx, id, func() error { return nil })
}

// Health implements worker.Estate.
func (p *process) Health(ctx context.Context, id cluster.Identity) (d *preview.Diagnosis, err error) {
	err = p.see(ctx, id, func() error {
		ns, err := p.w.kube.live(id)
		switch {
		case err != nil || ns.leaving:
			d = &preview.Diagnosis{Code: preview.CodeNamespace, Cause: "the namespace is gone", Blame: preview.BlameCluster}
		case ns.sick.After(time.Now()) || ns.ready.IsZero() || ns.ready.After(time.Now()):
			d = &preview.Diagnosis{Code: "NOT_READY", Cause: "pods are missing", Blame: preview.BlameUnknown}
		}
		return nil
	})
	return d, err
}
