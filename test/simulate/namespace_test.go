//go:build simulate

package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// see makes one request that changes nothing.
func (p *process) see(ctx context.Context, id cluster.Identity, look func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))+p.throttled()) {
		return ctx.Err()
	}
	p.w.mu.Lock()
	err := p.cluster()
	if err == nil {
		err = look()
	}
	p.w.mu.Unlock()
	if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))) {
		return ctx.Err()
	}
	return errors.Join(err, p.gate())
}

// change makes one request that changes something, unless the lease is over, as the transports of internal/cluster do. Once it is
// on its way it is waited for. record is of Helm: the release's record may still say "failed" when the work was stopped.
func (p *process) change(ctx context.Context, id cluster.Identity, record bool, do func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if ctx.Err() != nil && !record {
		return ctx.Err()
	}
	if !preview.LeaseHeld(ctx) {
		p.w.refused()
		return fmt.Errorf("not sent, the lease is over: %w", preview.ErrStale)
	}
	p.w.mu.Lock()
	token := p.w.checkWriter(p, id)
	p.w.mu.Unlock()
	arrive := func(late bool) (err error) {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		p.w.late = late
		if err := p.cluster(); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
		if !late { // else the sender has gone on long ago
			p.w.checkToken(p, id, token)
		}
		if p.w.trouble.lostReplies > 0 {
			p.w.trouble.lostReplies--
			p.w.hit(opLostReply)
			return errTimeout
		}
		return nil
	}
	on := p.w.latency(p.slot, toCluster, number(id.Key)) + p.throttled()
	if time.Sleep(on); p.died() {
		p.w.perhaps(func() { _ = arrive(true) })
		return errDead
	}
	err := arrive(false)
	time.Sleep(p.w.latency(p.slot, toCluster, number(id.Key)))
	return errors.Join(err, p.gate())
}

// cluster is the error with which the process finds the API server now, if any. Call it with mu held.
func (p *process) cluster() error {
	switch now := time.Now(); {
	case p.w.trouble.cluster.After(now):
		p.w.hit(opCluster)
	case p.noCluster.After(now):
		p.w.hit(opNoCluster)
	default:
		return nil
	}
	return errCluster
}

// throttled is how much longer a request takes because the API server answers 429 and the client asks again when it may.
func (p *process) throttled() time.Duration {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.w.trouble.throttled.After(time.Now()) {
		return 0
	}
	p.w.hit(opThrottle)
	return time.Duration(1+p.w.roll(p.slot, toCluster, 99)%3) * time.Second
}

// EnsureNamespace implements worker.Deployer, request for request as internal/cluster does.
func (p *process) EnsureNamespace(ctx context.Context, id cluster.Identity, _ cluster.Guards) (string, error) {
	k := p.w.kube
	create := id.UID == ""
	for range 4 {
		var found namespace
		var err error
		if create {
			err = p.change(ctx, id, false, func() error {
				if k.namespaces[id.Namespace] != nil {
					found = *k.namespaces[id.Namespace]
					return errExists
				}
				k.uids++
				ns := &namespace{name: id.Namespace, uid: fmt.Sprintf("uid-%d", k.uids), key: id.Key, answered: map[string]bool{}}
				k.namespaces[id.Namespace] = ns
				found = *ns
				p.w.note("%s creates namespace %s (%s) for %s", p.name, ns.name, ns.uid, id.Key)
				k.change()
				return nil
			})
		} else {
			err = p.see(ctx, id, func() error {
				ns := k.namespaces[id.Namespace]
				if ns == nil {
					return preview.ErrNotFound
				}
				found = *ns
				return nil
			})
		}
		switch {
		case errors.Is(err, errExists), errors.Is(err, preview.ErrNotFound):
			create = !create
			continue
		case err != nil:
			return "", fmt.Errorf("make namespace %s: %w", id.Namespace, err)
		case found.key != id.Key:
			return "", fmt.Errorf("namespace %s belongs to somebody else: %w", id.Namespace, preview.ErrConflict)
		case found.leaving:
			return "", fmt.Errorf("namespace %s is still being deleted: %w", id.Namespace, preview.ErrNotReady)
		}
		return found.uid, nil
	}
	return "", fmt.Errorf("namespace %s comes and goes: %w", id.Namespace, preview.ErrNotReady)
}

// SyncSecrets implements worker.Deployer. No preview here gets a Secret, so it finds nothing to do where the namespace is.
func (p *process) SyncSecrets(ctx context.Context, id cluster.Identity, _ []cluster.SecretCopy) error {
	return p.see(ctx, id, func() error {
		_, err := p.w.kube.live(id)
		return err
	})
}

// KeepGuards implements worker.Estate. The simulation has no guards.
func (p *process) KeepGuards(context.Context, cluster.Identity, cluster.Guards) error { return nil }

// SecretsDiffer implements worker.Estate.
func (p *process) SecretsDiffer(context.Context, cluster.Identity, []cluster.SecretCopy) (bool, error) {
	return false, nil
}

// DeleteNamespace implements worker.Remover, request for request as internal/cluster does.
func (p *process) DeleteNamespace(ctx context.Context, id cluster.Identity) error {
	k := p.w.kube
	var err error
	for range 4 {
		var found namespace
		err = p.see(ctx, id, func() error {
			ns, err := k.live(id)
			if err == nil {
				found = *ns
			}
			return err
		})
		if errors.Is(err, preview.ErrNotFound) || err == nil && found.leaving {
			return nil
		}
		if err != nil {
			return fmt.Errorf("delete namespace: %w", err)
		}
		why := p.w.mayDelete(p, id)
		err = p.change(ctx, id, false, func() error {
			ns := k.namespaces[id.Namespace]
			switch {
			case ns == nil:
				return preview.ErrNotFound
			case ns.uid != found.uid:
				return errVersion
			case p.w.trouble.conflicts > 0:
				p.w.trouble.conflicts--
				p.w.hit(opConflict)
				return errVersion
			case !ns.leaving:
				p.w.note("%s deletes namespace %s (%s)", p.name, ns.name, ns.uid)
				p.w.checkTarget(p, id, ns)
				if why != "" {
					p.w.violate("deleted without cause", "%s deletes namespace %s of %s: %s", p.name, ns.name, id.Key, why)
				}
				k.delete(ns, !p.w.late)
			}
			return nil
		})
		if err == nil || errors.Is(err, preview.ErrNotFound) {
			return nil
		}
		if !errors.Is(err, errVersion) {
			break
		}
	}
	return fmt.Errorf("delete namespace %s: %w", id.Namespace, err)
}

// WaitGone implements worker.Remover.
func (p *process) WaitGone(ctx context.Context, id cluster.Identity, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	uid, last := id.UID, false
	for {
		if err := p.gate(); err != nil {
			return err
		}
		p.w.mu.Lock()
		changed, down := p.w.kube.watch(), p.cluster() != nil
		ns := p.w.kube.namespaces[id.Namespace]
		if !down && ns != nil && uid == "" {
			uid = ns.uid
		}
		gone := !down && (ns == nil || ns.uid != uid)
		last = last || !down
		p.w.mu.Unlock()
		if gone {
			return nil
		}
		again := time.NewTimer(10 * time.Second)
		select {
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("wait for namespace %s to be gone: %w", id.Namespace, ctx.Err())
		case <-timer.C:
			again.Stop()
			if !last {
				return fmt.Errorf("wait for namespace %s to be gone: %w", id.Namespace, errCluster)
			}
			return preview.Fail(nil, preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: "it is still there", Blame: preview.BlameCluster})
		case <-changed:
		case <-again.C:
		}
		again.Stop()
		if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))) {
			return ctx.Err()
		}
	}
}

// Namespaces implements worker.Estate.
func (p *process) Namespaces(ctx context.Context) (found []cluster.Identity, err error) {
	err = p.see(ctx, cluster.Identity{}, func() error {
		if found = p.w.kube.list(); p.w.trouble.staleList.After(time.Now()) {
			p.w.hit(opStaleList)
			found = slices.Clone(p.w.kube.old)
		}
		return nil
	})
	return found, err
}
