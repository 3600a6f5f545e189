package simulate

import (
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
	writes     int                // that changed something
	old        []cluster.Identity // the list of namespaces that was once remembered
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

// watch returns what is closed at the next change, as far as the watch tells. Call it with mu held.
func (k *kube) watch() <-chan struct{} {
	if k.w.trouble.silent.After(time.Now()) {
		k.w.hit(opSilent)
		return nil
	}
	return k.changed
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

// list returns all namespaces of ours.
func (k *kube) list() (found []cluster.Identity) {
	for _, ns := range k.namespaces {
		if ns.key == (preview.Key{}) {
			continue
		}
		name := configured[0]
		if ns.key.RepositoryID == repositoryB {
			name = configured[1]
		}
		found = append(found, cluster.Identity{Namespace: ns.name, UID: ns.uid, Key: ns.key, Repository: name})
	}
	slices.SortFunc(found, func(a, b cluster.Identity) int { return number(a.Key) - number(b.Key) })
	return found
}

// remember keeps the list as it is now, to be given as an answer later.
func (k *kube) remember() { k.old = k.list() }
