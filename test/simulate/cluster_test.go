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

var (
	errCluster = errors.New("the API server does not answer")
	errTimeout = errors.New("the API server's answer is lost")
	errExists  = errors.New("409 already exists")
	errVersion = errors.New("409 conflict")
)

// kube is the cluster: namespaces, and in each of ours one release.
type kube struct {
	w          *world
	namespaces map[string]*namespace
	changed    chan struct{} // closed at the next change
	uids       int
	stuck      map[string]time.Time // by name: until when a deletion hangs
	tokens     map[preview.Key]int64
	writes     int // that changed something
}

type namespace struct {
	name     string
	uid      string
	key      preview.Key     // zero: somebody else's
	leaving  bool            // it is being deleted
	byUs     bool            // … on our wish
	version  string          // of the release; empty: there is none
	pending  bool            // the release was left half-done, or is being made
	ready    time.Time       // when its workloads are ready; zero: never
	failing  bool            // its workloads have failed
	sick     time.Time       // until when pods are missing
	answered map[string]bool // the versions that were seen ready
}

func newKube(w *world) *kube {
	k := &kube{w: w, namespaces: map[string]*namespace{}, changed: make(chan struct{}), stuck: map[string]time.Time{}, tokens: map[preview.Key]int64{}}
	if w.Squatter {
		k.namespaces["pr-web-1"] = &namespace{name: "pr-web-1", uid: "somebody", answered: map[string]bool{}}
	}
	return k
}

func (k *kube) change() {
	k.writes++
	close(k.changed)
	k.changed = make(chan struct{})
}

// operate is what happens to the cluster.
func (k *kube) operate(o op, until time.Time) {
	known := k.w.db.byKey(k.w.hub.pulls[o.Pull].key)
	if known == nil {
		return
	}
	ns := k.namespaces[known.Namespace]
	switch {
	case o.Kind == opStuck:
		k.stuck[known.Namespace] = until
	case ns == nil || ns.key != known.Key:
	case o.Kind == opPods:
		if !ns.ready.IsZero() {
			ns.sick = until
			k.w.hit(opPods)
		}
	case o.Kind == opDeleted && !ns.leaving:
		k.w.hit(opDeleted)
		k.delete(ns, false)
	}
}

func (k *kube) heal() {
	clear(k.stuck)
	for _, ns := range k.namespaces {
		ns.sick = time.Time{}
	}
}

// delete marks the namespace and lets it be gone a while later.
func (k *kube) delete(ns *namespace, byUs bool) {
	ns.leaving, ns.byUs = true, byUs
	k.change()
	w := k.w
	left := 500*time.Millisecond + time.Duration(w.roll(9, ofNature, 7)%uint64(45*time.Second))
	w.background.Go(func() {
		time.Sleep(left)
		for {
			w.mu.Lock()
			if !k.stuck[ns.name].After(time.Now()) {
				break
			}
			w.hit(opStuck)
			w.mu.Unlock()
			time.Sleep(5 * time.Second)
		}
		defer w.mu.Unlock()
		delete(k.namespaces, ns.name)
		w.note("namespace %s (%s) is gone", ns.name, ns.uid)
		k.writes-- // not a write of ours
		k.change()
	})
}

// see makes one request that changes nothing.
func (p *process) see(ctx context.Context, id cluster.Identity, look func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))) {
		return ctx.Err()
	}
	p.w.mu.Lock()
	var err error
	if p.w.trouble.cluster.After(time.Now()) {
		p.w.hit(opCluster)
		err = errCluster
	} else {
		err = look()
	}
	p.w.mu.Unlock()
	if !p.sleep(ctx, p.w.latency(p.slot, toCluster, number(id.Key))) {
		return ctx.Err()
	}
	return errors.Join(err, p.gate())
}

// change makes one request that changes something, unless the lease is over, as the transport of internal/cluster does. A
// bound one (of Helm) is waited for; another is given up with ctx, and may arrive all the same.
func (p *process) change(ctx context.Context, id cluster.Identity, bound bool, do func() error) error {
	if err := p.gate(); err != nil {
		return err
	}
	if ctx.Err() != nil && !bound {
		return ctx.Err()
	}
	if !preview.LeaseHeld(ctx) {
		p.w.mu.Lock()
		p.w.hit("stale write refused")
		p.w.mu.Unlock()
		return fmt.Errorf("not sent, the lease is over: %w", preview.ErrStale)
	}
	p.w.mu.Lock()
	token := p.w.checkWriter(p, id)
	p.w.mu.Unlock()
	arrive := func(late bool) (err error) {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		p.w.late = late
		if p.w.trouble.cluster.After(time.Now()) {
			p.w.hit(opCluster)
			return errCluster
		}
		if err := do(); err != nil {
			return err
		}
		if !late { // else the sender has gone on long ago
			p.w.checkToken(p, id, token)
		}
		return nil
	}
	on := p.w.latency(p.slot, toCluster, number(id.Key))
	if bound {
		time.Sleep(on)
	} else if !p.sleep(ctx, on) {
		p.w.perhaps(func() { _ = arrive(true) })
		return ctx.Err()
	}
	err := arrive(false)
	back := p.w.latency(p.slot, toCluster, number(id.Key))
	if bound {
		time.Sleep(back)
	} else if !p.sleep(ctx, back) {
		return ctx.Err()
	}
	return errors.Join(err, p.gate())
}

// live is cluster.live. Call it with mu held.
func (k *kube) live(id cluster.Identity) (*namespace, error) {
	switch ns := k.namespaces[id.Namespace]; {
	case ns == nil:
		return nil, fmt.Errorf("read namespace %s: %w", id.Namespace, preview.ErrNotFound)
	case ns.key != id.Key:
		return nil, fmt.Errorf("namespace %s belongs to somebody else: %w", id.Namespace, preview.ErrConflict)
	case id.UID != "" && ns.uid != id.UID:
		return nil, fmt.Errorf("namespace %s was made anew: %w", id.Namespace, preview.ErrConflict)
	default:
		return ns, nil
	}
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
				if p.w.trouble.lostMade > 0 {
					p.w.trouble.lostMade--
					p.w.hit(opLostCreate)
					return errTimeout
				}
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
		changed, down := p.w.kube.changed, p.w.trouble.cluster.After(time.Now())
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
			p.w.checkDeploy(p, id, r.Version)
			if does != refused {
				ns.version, ns.ready, ns.failing = r.Version, time.Time{}, false
			}
		}))
	}
	for _, write := range writes {
		err := ctx.Err()
		if err == nil {
			err = p.change(ctx, id, true, write)
		}
		if err != nil {
			_ = p.change(ctx, id, true, into(func(ns *namespace) { ns.pending = false })) // the record may say "failed" after the end
			return cluster.Deployed{}, fmt.Errorf("deploy to %s: %w", id.Namespace, err)
		}
	}
	err = p.change(ctx, id, true, into(func(ns *namespace) {
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
		changed, wait, now := p.w.kube.changed, 10*time.Second, time.Now()
		ns, err := p.w.kube.live(id)
		down := p.w.trouble.cluster.After(now)
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

// Namespaces implements worker.Estate.
func (p *process) Namespaces(ctx context.Context) (found []cluster.Identity, err error) {
	err = p.see(ctx, cluster.Identity{}, func() error {
		for _, ns := range p.w.kube.namespaces {
			if ns.key == (preview.Key{}) {
				continue
			}
			name := "acme/web"
			if ns.key.RepositoryID == repositoryB {
				name = "evil/web"
			}
			found = append(found, cluster.Identity{Namespace: ns.name, UID: ns.uid, Key: ns.key, Repository: name})
		}
		slices.SortFunc(found, func(a, b cluster.Identity) int { return number(a.Key) - number(b.Key) })
		return nil
	})
	return found, err
}

// KeepGuards implements worker.Estate. The simulation has no guards.
func (p *process) KeepGuards(context.Context, cluster.Identity, cluster.Guards) error { return nil }

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
