//go:build simulate

package simulate

import (
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// settleLimit is how long after everything is well again nothing may be left to do: a sweep, then one deployment after the
// other, each up to its limit, and the longest pause between attempts.
const settleLimit = sweepEvery + pulls*(readyLimit+30*time.Second) + 5*time.Minute

// idleTimes are how long nothing may be written once nothing is left to do: an hour in one history of eight, and in the others
// long enough for several rounds of all that happens by itself.
var idleTimes = [8]time.Duration{time.Hour, idleTime, idleTime, idleTime, idleTime, idleTime, idleTime, idleTime}

const idleTime = 20 * time.Minute

// settle waits until nothing is lost, doubled or left behind, and tells what is after all that time.
func (w *world) settle() {
	healed := time.Now()
	for still := 0; ; {
		time.Sleep(5 * time.Second)
		w.mu.Lock()
		left := w.left()
		if still++; len(left) > 0 {
			still = 0
		}
		if still == 1 {
			w.settled = time.Since(healed)
		} else if still == 0 && time.Since(healed) > settleLimit {
			for _, v := range left {
				w.violate(v.invariant, "%s after everything was well: %s", settleLimit, v.text)
			}
		}
		// Who waits in line asks by himself every half minute.
		enough := still == 8 || still > 0 && !w.queued() && !w.sweeping() || len(w.violations) > 0
		w.mu.Unlock()
		if enough {
			return
		}
	}
}

// sweeping reports whether a sweep is under way: what it has seen before all was well may still make it ask for something.
func (w *world) sweeping() bool {
	j := w.db.jobs[jobKey{preview.JobSweep, ""}]
	return j != nil && j.leaseUntil.After(w.now())
}

func (w *world) queued() bool {
	return slices.ContainsFunc(w.db.previews, func(p preview.Preview) bool { return p.Status == preview.StatusQueued })
}

// idle lets time pass in which nothing happens, and so nothing may be written.
func (w *world) idle() {
	w.mu.Lock()
	if len(w.violations) > 0 {
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	// What belongs to a repository that is out of reach is not looked at; it may take its time to come to its end.
	if slices.ContainsFunc(w.hub.repos, func(r *repo) bool { return r.suspended || r.vanished }) {
		time.Sleep(settleLimit)
	}
	w.mu.Lock()
	toCluster, toGitHub, reads := w.kube.writes, w.hub.writes, w.hub.reads
	lasts := idleTimes[w.roll(9, ofHistory, 3)%uint64(len(idleTimes))]
	w.note("--- idle for %s", lasts)
	w.mu.Unlock()
	time.Sleep(lasts)
	w.mu.Lock()
	defer w.mu.Unlock()
	if toCluster != w.kube.writes || toGitHub != w.hub.writes {
		w.violate("I14", "in %s without events %d writes went to the cluster and %d to GitHub", lasts, w.kube.writes-toCluster, w.hub.writes-toGitHub)
	}
	if reads, most := w.hub.reads-reads, w.idleReads(lasts); reads > most {
		w.violate("I9", "in %s without events pull requests were read %d times; %d are enough", lasts, reads, most)
	}
	for _, v := range w.left() {
		w.violate(v.invariant, "after an idle hour: %s", v.text)
	}
}

// idleReads is how often pull requests may be read in a time without events: each process may look once at one that waits in line,
// and what belongs to a suspended installation is asked for every five minutes.
func (w *world) idleReads(lasts time.Duration) int {
	most := 0
	for _, p := range w.db.previews {
		switch of := w.hub.pull(p.Key); {
		case of != nil && of.repo.suspended:
			most += int(lasts/(5*time.Minute)) + 1
		case p.Status == preview.StatusQueued:
			most += w.Replicas
		}
	}
	return most
}

// left returns what is not as it must be in the end.
func (w *world) left() (left []violation) {
	miss := func(invariant, format string, args ...any) {
		left = append(left, violation{invariant, fmt.Sprintf(format, args...)})
	}
	for _, j := range w.db.jobs {
		if j.done < j.generation && j.kind != preview.JobSweep && j.kind != preview.JobHealth && !w.waits(j) {
			miss("I12", "job %s of %s is not done", j.kind, j.preview)
		}
	}
	if w.underway > 0 {
		miss("I1", "%d deliveries are not answered", w.underway)
	}
	if len(left) > 0 {
		return left // then the rest need not be right yet
	}
	wanted := map[preview.Key]bool{}
	for _, of := range w.hub.pulls {
		known := w.db.byKey(of.key)
		if of.repo.suspended {
			wanted[of.key] = true
			continue
		}
		if len(of.commits) > 0 && of.open && !of.repo.vanished {
			wanted[of.key] = true
			w.leftOpen(of, known, miss)
		} else if known != nil && (known.Status != preview.StatusDeleted || known.Due()) {
			miss("I4", "%s is closed, its preview is %s", of.key, known.Status)
		}
		if known != nil {
			w.leftComment(of, *known, miss)
		}
	}
	for _, ns := range w.kube.namespaces {
		if ns.key != (preview.Key{}) && (!wanted[ns.key] || ns.leaving && !w.hub.pull(ns.key).repo.suspended) {
			miss("I4", "namespace %s (%s) is left of %s", ns.name, ns.uid, ns.key)
		}
	}
	for _, d := range w.hub.deliveries {
		if d.failed && !d.arrived {
			miss("I1", "delivery %s was refused and is not asked for again", d.event.Delivery.GUID)
		}
		of := w.hub.pull(d.event.Key)
		if of != nil && of.repo.suspended {
			continue
		}
		if d.accepted.IsZero() || of == nil {
			continue
		}
		looked := false
		for _, at := range of.reads {
			looked = looked || !at.Before(d.accepted)
		}
		if !looked {
			miss("I1", "delivery %s of %s was accepted and nobody looked", d.event.Delivery.GUID, of.key)
		}
	}
	return left
}

// waits reports whether a job belongs to a preview that waits in line.
func (w *world) waits(j *job) bool {
	p := w.db.byID(j.preview)
	return p != nil && (j.kind == preview.JobReconcile && p.Status == preview.StatusQueued || w.hub.pull(p.Key).repo.suspended)
}

// leftOpen checks that the head is live, or that the preview says why not.
func (w *world) leftOpen(of *pull, known *preview.Preview, miss func(invariant, format string, args ...any)) {
	if known == nil {
		miss("I2", "%s is open and not known", of.key)
		return
	}
	ns := w.kube.namespaces[known.Namespace]
	ours := ns != nil && ns.key == of.key && !ns.leaving
	code := ""
	if known.Diagnosis != nil {
		code = known.Diagnosis.Code
	}
	switch does := w.hub.classes[of.head()]; {
	case known.HeadSHA != of.head() || !known.Open:
		miss("I2", "%s is at %s, its preview at %s", of.key, preview.ShortSHA(of.head()), preview.ShortSHA(known.HeadSHA))
	case known.Status == preview.StatusQueued:
		w.leftQueued(of, known, miss)
	case known.Due():
		miss("I2", "%s is %s at %d/%d", of.key, known.Status, known.Settled, known.Generation)
	case known.Status == preview.StatusRunning:
		if !ours || ns.uid != known.NamespaceUID || ns.version != of.head() || ns.ready.IsZero() || known.LiveSHA != of.head() {
			miss("I2", "%s runs %s, in its namespace is %+v", of.key, preview.ShortSHA(of.head()), ns)
		}
	case known.Status == preview.StatusDegraded:
		if ours && ns.uid == known.NamespaceUID {
			miss("I13", "%s is degraded and its namespace is well", of.key)
		}
	case known.Status != preview.StatusFailed:
		miss("I2", "%s is %s", of.key, known.Status)
	case code == preview.CodeOutage:
		if w.outages() == 0 {
			miss("I2", "%s failed for an outage that there was not", of.key)
		}
	case code == preview.CodeNamespace:
		if ns == nil || ns.key == of.key {
			miss("I2", "%s failed for a namespace that nobody else has", of.key)
		}
	case does == good && w.faults[opPods]+w.faults[opDeleted]+w.faults[opCluster]+w.faults["request arrives late"] == 0, does == slow && code != preview.CodeTimeout:
		miss("I2", "%s failed with %s, its commit is %s", of.key, code, does)
	}
}

// outages counts the faults that may use up all attempts at a deployment.
func (w *world) outages() int {
	n := 0
	for _, k := range []kind{opDatabase, opNoDatabase, opGitHub, opCluster, opNoCluster, opLostCommit, opLostReply, opDeleted, opConflict, opStuck, "request arrives late"} {
		n += w.faults[k]
	}
	return n
}

// leftQueued checks that who waits, waits for something.
func (w *world) leftQueued(of *pull, known *preview.Preview, miss func(invariant, format string, args ...any)) {
	held, ofRepository := 0, 0
	for _, ns := range w.kube.namespaces {
		if ns.key == of.key && !ns.leaving && ns.uid == known.NamespaceUID {
			miss("stuck queue", "%s waits although it has its namespace and nothing is being deployed", of.key)
		}
		if ns.key == (preview.Key{}) || ns.key == of.key {
			continue
		}
		held++
		if ns.key.RepositoryID == of.key.RepositoryID {
			ofRepository++
		}
	}
	l := w.Limits
	if (l.Previews == 0 || held < l.Previews) && (l.PreviewsPerRepository == 0 || ofRepository < l.PreviewsPerRepository) {
		miss("stuck queue", "%s waits; there are %d namespaces, %d of its repository; allowed are %+v", of.key, held, ofRepository, l)
	}
}

// leftComment checks that there is one comment and that it says what is stored.
func (w *world) leftComment(of *pull, known preview.Preview, miss func(invariant, format string, args ...any)) {
	deployments := w.db.newest(known.ID, 5)
	if of.repo.vanished || of.gone {
		return
	}
	if len(of.ours) == 0 {
		if known.Open || len(deployments) > 0 || known.CommentAttempted {
			miss("I6", "%s has no comment", of.key)
		}
		return
	}
	var waiting *preview.Waiting
	if known.Status == preview.StatusQueued {
		if place, waits := w.waiting(known, w.db.line()); waits {
			waiting = &place
		}
	}
	if want := report.Comment(report.View{Preview: known, Deployments: deployments, Waiting: waiting, Logs: known.Private}); of.ours[0].body != want {
		miss("I6", "the comment on %s says\n%s\nand not\n%s", of.key, of.ours[0].body, want)
	}
}
