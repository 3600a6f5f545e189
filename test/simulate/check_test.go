//go:build simulate

package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// legal are the changes of status there may be, beside staying as it is (docs/lifecycle.md).
var legal = map[preview.Status][]preview.Status{
	"":                      {preview.StatusPending},
	preview.StatusPending:   {preview.StatusQueued, preview.StatusDeploying, preview.StatusFailed, preview.StatusDeleting},
	preview.StatusQueued:    {preview.StatusPending, preview.StatusDeploying, preview.StatusFailed, preview.StatusDeleting},
	preview.StatusDeploying: {preview.StatusPending, preview.StatusRunning, preview.StatusFailed, preview.StatusDeleting, preview.StatusQueued},
	preview.StatusRunning:   {preview.StatusDeploying, preview.StatusQueued, preview.StatusDegraded, preview.StatusFailed, preview.StatusDeleting},
	preview.StatusDegraded:  {preview.StatusDeploying, preview.StatusQueued, preview.StatusRunning, preview.StatusFailed, preview.StatusDeleting},
	preview.StatusFailed:    {preview.StatusDeploying, preview.StatusQueued, preview.StatusDeleting},
	preview.StatusDeleting:  {preview.StatusDeleted, preview.StatusPending},
	preview.StatusDeleted:   {preview.StatusPending, preview.StatusDeleting},
}

// grace is how long a decision may lag behind an answer that changed it: the time of the transaction that tells.
const grace = 100 * time.Millisecond

// changed checks an event that was stored: the transition, and what the event claims.
func (w *world) changed(by *process, e preview.Event, before *preview.Preview, after preview.Preview) {
	was := preview.Preview{}
	if before != nil {
		was = *before
	}
	w.checkSpeaker(by, e, after)
	if after.Status != was.Status && !slices.Contains(legal[was.Status], after.Status) {
		w.violate("I12", "%s moves %s from %q to %q", e.Kind, after.Key, was.Status, after.Status)
	}
	switch {
	case after.Settled > after.Generation, after.Generation < was.Generation, after.Settled < was.Settled:
		w.violate("I12", "%s moves %s from %d/%d to %d/%d", e.Kind, after.Key, was.Settled, was.Generation, after.Settled, after.Generation)
	case after.Status == preview.StatusDeleted && (after.NamespaceUID != "" || after.LiveSHA != ""):
		w.violate("I12", "%s is deleted and has namespace %q and commit %q", after.Key, after.NamespaceUID, after.LiveSHA)
	}
	running := 0
	for _, d := range w.db.deployments[after.ID] {
		if d.Status == preview.DeploymentRunning {
			running++
		}
	}
	if running > 1 {
		w.violate("I3", "%d deployments of %s run at once after %s", running, after.Key, e.Kind)
	}
	switch {
	case e.Kind == preview.EventStarted && after.Status == preview.StatusDeploying:
		w.started(by, e, was, after)
	case e.Kind == preview.EventSucceeded:
		ns := w.kube.namespaces[after.Namespace]
		if ns != nil && ns.uid == was.NamespaceUID && !ns.answered[e.SHA] {
			w.violate("I6", "%s calls %s of %s ready, which was never seen", by.name, preview.ShortSHA(e.SHA), after.Key)
		}
	case e.Kind == preview.EventDeleted:
		if ns := w.kube.namespaces[after.Namespace]; ns != nil && ns.key == after.Key && ns.leaving && ns.byUs {
			w.violate("I4", "%s calls %s deleted, its namespace %s is still going", by.name, after.Key, ns.name)
		}
	}
}

// speaks says on behalf of which job a worker tells of its own work.
var speaks = map[preview.EventKind]preview.JobKind{
	preview.EventStarted: preview.JobReconcile, preview.EventSucceeded: preview.JobReconcile, preview.EventFailed: preview.JobReconcile,
	preview.EventSuperseded: preview.JobReconcile, preview.EventDeleteStuck: preview.JobReconcile, preview.EventDeleted: preview.JobReconcile,
	preview.EventSteps: preview.JobReconcile, preview.EventAside: preview.JobReconcile, preview.EventMissing: preview.JobReconcile,
	preview.EventCommenting: preview.JobComment, preview.EventCommented: preview.JobComment, preview.EventCommentGone: preview.JobComment,
}

// checkSpeaker checks that what a worker tells of its own work is heard only while it holds the lease.
func (w *world) checkSpeaker(by *process, e preview.Event, of preview.Preview) {
	kind, own := speaks[e.Kind]
	if !own {
		return
	}
	if j := w.db.jobs[jobKey{kind, of.ID}]; j == nil || j.holder != by.name || !j.leaseUntil.After(w.now()) {
		w.violate("I3", "%s tells %s of %s without the lease", by.name, e.Kind, of.Key)
	}
}

// started checks what a deployment rests on: the truth as just read, and a free place.
func (w *world) started(by *process, e preview.Event, was, after preview.Preview) {
	if of := w.hub.pull(after.Key); of == nil || !told(of.answers[by.name], func(a answer) bool { return a.open && a.head == e.SHA }) {
		w.violate("I3", "%s deploys %s of %s without having read that it is the head", by.name, preview.ShortSHA(e.SHA), after.Key)
	}
	deployments, held, ofRepository := 0, 0, 0
	var earlier []preview.Key // who waits for longer
	for _, p := range w.db.previews {
		if p.Status == preview.StatusDeploying {
			deployments++
		}
		if p.Status == preview.StatusDeploying || p.NamespaceUID != "" && p.Status != preview.StatusDeleted {
			held++
			if p.RepositoryID == after.RepositoryID {
				ofRepository++
			}
		}
		if p.Status == preview.StatusQueued && p.RepositoryID == after.RepositoryID && p.NamespaceUID == "" &&
			(was.QueuedAt.IsZero() || p.QueuedAt.Before(was.QueuedAt)) {
			earlier = append(earlier, p.Key)
		}
	}
	had := was.NamespaceUID != "" || was.Status == preview.StatusDeploying
	over := func(n, limit int) bool { return limit > 0 && n > limit }
	if n, l := len(earlier), w.Limits; n > 0 && !had &&
		(over(deployments+n, l.Deployments) || over(held+n, l.Previews) || over(ofRepository+n, l.PreviewsPerRepository)) {
		w.violate("fair", "%s goes before %v, who wait for longer and do not fit beside it", after.Key, earlier)
	}
	if over(deployments, w.Limits.Deployments) || !had && (over(held, w.Limits.Previews) || over(ofRepository, w.Limits.PreviewsPerRepository)) {
		w.violate("limits", "%s starts: %d deployments, %d previews, %d of its repository; allowed are %+v", after.Key, deployments, held, ofRepository, w.Limits)
	}
}

// told reports whether the last answer says so, or the one before it a moment ago.
func told(a answer, so func(answer) bool) bool {
	return so(a) || a.old != nil && time.Since(a.at) < grace && so(*a.old)
}

// checkQueue checks after each transaction that nothing that is due is forgotten.
func (w *world) checkQueue() {
	for _, p := range w.db.previews {
		if j := w.db.jobs[jobKey{preview.JobReconcile, p.ID}]; p.Due() && (j == nil || j.done >= j.generation) {
			w.violate("I12", "%s is at %d/%d (%s) and no job is asked for", p.Key, p.Settled, p.Generation, p.Status)
		}
	}
}

// claimed checks that no job is taken again and again.
func (w *world) claimed(got preview.Job, now time.Time) {
	const most = 60
	j := w.db.jobs[jobKey{got.Kind, got.PreviewID}]
	j.takes = append(j.takes, now)
	if n := len(j.takes); n > most && now.Sub(j.takes[n-1-most]) < time.Minute {
		w.violate("I9", "%s of %s is claimed more than %d times in a minute", got.Kind, got.PreviewID, most)
	}
}

// checkFinish checks that a job's end covers only what was asked for before the truth was read.
func (w *world) checkFinish(by *process, j *job, generation int64) {
	if j.kind != preview.JobReconcile {
		return
	}
	known := w.db.byID(j.preview)
	of := w.hub.pull(known.Key)
	if of == nil {
		return
	}
	for g := j.done + 1; g <= generation; g++ {
		if asked := j.asked[g]; of.reads[by.name].Before(asked) {
			w.violate("I1", "%s finishes %s up to %d, which was asked for at %s; its last look was at %s",
				by.name, known.Key, generation, asked.Sub(w.start), of.reads[by.name].Sub(w.start))
			return
		}
	}
}

// checkRetry checks that nothing that was asked for while the job ran, and since the truth was read, is put off with it.
func (w *world) checkRetry(by *process, j *job, now time.Time) {
	if j.kind != preview.JobReconcile || !j.notBefore.After(now) {
		return
	}
	known := w.db.byID(j.preview)
	of := w.hub.pull(known.Key)
	if of == nil {
		return
	}
	if asked := j.asked[j.generation]; asked.After(j.takes[len(j.takes)-1]) && of.reads[by.name].Before(asked) {
		w.violate("I12", "%s puts %s off until %s, which was asked for at %s; its last look was at %s",
			by.name, known.Key, j.notBefore.Sub(w.start), asked.Sub(w.start), of.reads[by.name].Sub(w.start))
	}
}

// checkWriter checks, when a write to the cluster leaves, that its sender has the right to make it, and returns his token.
func (w *world) checkWriter(by *process, id cluster.Identity) int64 {
	known := w.db.byKey(id.Key)
	if known == nil {
		w.violate("I5", "%s writes to %s for %s, which nobody knows", by.name, id.Namespace, id.Key)
		return 0
	}
	j := w.db.jobs[jobKey{preview.JobReconcile, known.ID}]
	if j.holder != by.name || !j.leaseUntil.After(w.now()) {
		w.violate("I3", "%s writes to namespace %s without the lease: %q has it until %s", by.name, id.Namespace, j.holder, j.leaseUntil.Sub(w.start))
		return 0
	}
	return j.token
}

// checkToken checks, when a write took effect, that no newer writer came before it.
func (w *world) checkToken(by *process, id cluster.Identity, token int64) {
	if newest := w.kube.tokens[id.Key]; token < newest {
		w.violate("I3", "%s writes to namespace %s with token %d after %d", by.name, id.Namespace, token, newest)
	}
	w.kube.tokens[id.Key] = max(token, w.kube.tokens[id.Key])
}

// checkTarget checks that a write hits the namespace that was meant, and none that we are removing.
func (w *world) checkTarget(by *process, id cluster.Identity, ns *namespace) {
	switch {
	case ns.key != id.Key:
		w.violate("I5", "%s writes to namespace %s of %s for %s", by.name, ns.name, ns.key, id.Key)
	case id.UID != "" && ns.uid != id.UID:
		w.violate("I5", "%s writes to namespace %s (%s), meant is %s", by.name, ns.name, ns.uid, id.UID)
	case ns.leaving && ns.byUs:
		w.violate("I5", "%s writes to namespace %s, which we are deleting", by.name, ns.name)
	}
}

// checkDeploy checks, when a write of a deployment leaves, that what goes into the namespace is the head as it was read last.
func (w *world) checkDeploy(ctx context.Context, by *process, id cluster.Identity, sha string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // then it does not leave
	}
	of := w.hub.pull(id.Key)
	if of == nil || !told(of.answers[by.name], func(a answer) bool { return a.open && a.head == sha }) {
		w.violate("I3", "%s brings %s to %s, which is not the head as it read it last", by.name, preview.ShortSHA(sha), id.Key)
	}
}

// mayDelete returns nothing when there is a reason to remove the namespace, and otherwise what speaks against it. It is asked
// when the request leaves.
func (p *process) why(id cluster.Identity) string {
	w := p.w
	of, known := w.hub.pull(id.Key), w.db.byKey(id.Key)
	if of == nil || known == nil {
		return "nobody knows the pull request"
	}
	last := of.answers[p.name]
	if told(last, func(a answer) bool { return !a.open && !a.at.IsZero() }) {
		return ""
	}
	newest := last
	for _, a := range of.answers {
		if a.at.After(newest.at) {
			newest = a
		}
	}
	if !newest.at.IsZero() && !newest.open && (!of.missing.IsZero() || of.refused[p.name]) {
		return "" // another process was told that it is closed, and since then nobody that it is open
	}
	if !of.missing.IsZero() && time.Since(of.missing) >= time.Minute {
		return ""
	}
	head := known.HeadSHA
	if d := w.db.newest(known.ID, 1); len(d) > 0 && d[0].Status == preview.DeploymentRunning {
		head = d[0].SHA // the next commit was only just told
	}
	if known.LiveSHA == "" && w.hub.classes[head] == noChart && last.open {
		return "" // a first deployment that came to nothing is cleared away
	}
	return fmt.Sprintf("the last answer was open %v, %s ago; missing since %s", last.open, time.Since(last.at), of.missing)
}

func (w *world) mayDelete(p *process, id cluster.Identity) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.why(id)
}

// checkComments checks that a pull request has at most one comment of ours.
func (w *world) checkComments(of *pull) {
	if len(of.ours) > 1 {
		w.violate("I6", "%s has %d comments of ours", of.key, len(of.ours))
	}
}

func (w *world) classOf(sha string) class {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hub.classes[sha]
}
