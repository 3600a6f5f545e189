package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/preview"
)

// Progress is how far a release is on its way to ready.
type Progress struct {
	Ready   int    // objects
	Total   int    // objects
	Waiting string // one sentence: what is waited for; "" when everything is ready
}

// WaitReady waits until all the objects are ready: workloads when the revision that was applied runs completely (an older one that
// still does counts for nothing), Jobs when they are complete, other objects by their conditions, and those without any, Ingress
// among them, when they exist.
// progress (may be nil) is called from one goroutine, on every change and only then.
//
// A rollout that has failed or that cannot succeed (an image that does not exist, a container that crashes again and again, …) ends the wait
// at once with a *preview.Failure, the limit with one of code TIMEOUT that names what was waited for.
func (c *Cluster) WaitReady(ctx context.Context, id Identity, objects []ObjectRef, limit time.Duration, progress func(Progress)) error {
	w := newWait(c, id, objects, limit)
	if progress == nil {
		progress = func(Progress) {}
	}
	// The limit holds as well when the API server takes a question and never answers.
	bounded, cancel := context.WithTimeout(ctx, limit+2*evidenceTime)
	defer cancel()
	err := w.run(bounded, progress)
	var failure *preview.Failure
	if err == nil || errors.As(err, &failure) {
		return err
	}
	return fmt.Errorf("wait for %s to be ready: %w", id.Namespace, err)
}

type objectKey struct {
	resource schema.GroupVersionResource
	name     string
}

// wait is one run of WaitReady. One goroutine owns it.
type wait struct {
	c         *Cluster
	id        Identity
	refs      []ObjectRef
	limit     time.Duration
	resources map[ObjectRef]schema.GroupVersionResource
	objects   map[objectKey]*unstructured.Unstructured
	seen      map[schema.GroupVersionResource]bool  // resources of which there was news
	errs      map[schema.GroupVersionResource]error // why there is none at the moment
	owners    map[string]*appsv1.ReplicaSet         // by name; see ownerOf
}

func newWait(c *Cluster, id Identity, refs []ObjectRef, limit time.Duration) *wait {
	return &wait{
		c: c, id: id, refs: refs, limit: limit,
		resources: map[ObjectRef]schema.GroupVersionResource{},
		objects:   map[objectKey]*unstructured.Unstructured{},
		seen:      map[schema.GroupVersionResource]bool{},
		errs:      map[schema.GroupVersionResource]error{},
		owners:    map[string]*appsv1.ReplicaSet{},
	}
}

func (w *wait) run(ctx context.Context, progress func(Progress)) error {
	watched := map[schema.GroupVersionResource]bool{podResource: true}
	var plain []ObjectRef
	for _, ref := range w.refs {
		m, err := w.c.mapper.RESTMapping(schema.GroupKind{Group: ref.Group, Kind: ref.Kind}, ref.Version)
		if err != nil {
			return fmt.Errorf("find the kind of %s: %w", ref, err)
		}
		w.resources[ref] = m.Resource
		if settles(ref) {
			watched[m.Resource] = true
		} else {
			plain = append(plain, ref)
		}
	}

	inner, cancel := context.WithCancel(ctx)
	changes := make(chan change, 16)
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	for resource := range watched {
		o := observer{c: w.c, resource: resource, namespace: w.id.Namespace, out: changes}
		running.Go(func() { o.run(inner) })
	}
	for _, ref := range plain {
		running.Go(func() { w.exists(inner, ref, w.resources[ref], changes) })
	}

	timer := time.NewTimer(w.limit)
	defer timer.Stop()
	// For what depends on the time alone; asks the API server nothing.
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	var last *Progress
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return w.late(ctx)
		case <-clock.C:
		case ch := <-changes:
			w.take(ch)
			for more := true; more; {
				select {
				case ch := <-changes:
					w.take(ch)
				default:
					more = false
				}
			}
		}
		for _, err := range w.errs {
			if apierrors.IsForbidden(err) {
				return kind(err)
			}
		}
		now, err := w.look(ctx)
		if err != nil {
			return err
		}
		if last == nil || *last != now {
			last = &now
			progress(now)
		}
		if now.Ready == now.Total {
			return nil
		}
	}
}

// settles reports whether an object goes on changing after it was applied until it is ready. The others are ready when they exist.
func settles(ref ObjectRef) bool {
	switch ref.Group {
	case "apps", "batch":
		return ref.Kind != "ControllerRevision" && ref.Kind != "CronJob"
	case "":
		return ref.Kind == "Pod" || ref.Kind == "PersistentVolumeClaim"
	}
	// Custom resources have conditions; Kubernetes' own groups that are left have nothing to wait for.
	return strings.Contains(ref.Group, ".") && !strings.HasSuffix(ref.Group, ".k8s.io")
}

// exists sends the object as soon as it is there.
func (w *wait) exists(ctx context.Context, ref ObjectRef, resource schema.GroupVersionResource, out chan<- change) {
	for ctx.Err() == nil {
		ch := change{resource: resource}
		object, err := w.c.dynamic.Resource(resource).Namespace(w.id.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err == nil {
			ch.objects = []*unstructured.Unstructured{object}
		} else if !apierrors.IsNotFound(err) {
			ch.err = err
		}
		select {
		case out <- ch:
		case <-ctx.Done():
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

func (w *wait) take(ch change) {
	if ch.err != nil {
		w.errs[ch.resource] = ch.err
		return
	}
	delete(w.errs, ch.resource)
	w.seen[ch.resource] = true
	if ch.all {
		maps.DeleteFunc(w.objects, func(k objectKey, _ *unstructured.Unstructured) bool { return k.resource == ch.resource })
	}
	for _, object := range ch.objects {
		k := objectKey{ch.resource, object.GetName()}
		if ch.deleted {
			delete(w.objects, k)
		} else {
			w.objects[k] = object
		}
	}
}

// look judges the state of the release: how far it is, or why it will not get there.
func (w *wait) look(ctx context.Context) (Progress, error) {
	p := Progress{Total: len(w.refs)}
	waiting := map[string]ObjectRef{} // "Kind/name" of what is not ready
	for _, ref := range w.refs {
		ready, why, err := w.judge(ctx, ref)
		if err != nil {
			return p, err
		}
		if ready {
			p.Ready++
			continue
		}
		waiting[ref.Kind+"/"+ref.Name] = ref
		if p.Waiting == "" {
			p.Waiting = why
		}
	}
	return p, w.pods(ctx, waiting)
}

// judge says whether one object is ready, and otherwise what it waits for.
func (w *wait) judge(ctx context.Context, ref ObjectRef) (ready bool, why string, err error) {
	object := w.objects[objectKey{w.resources[ref], ref.Name}]
	if object == nil {
		return false, ref.String() + " does not exist yet", nil
	}
	if !settles(ref) {
		return true, "", nil
	}
	result, err := status.Compute(object)
	if err != nil {
		return false, ref.String() + " has a status that cannot be read: " + err.Error(), nil
	}
	switch {
	case result.Status == status.CurrentStatus && ref.Kind == "Job" && ref.Group == batchv1.GroupName && !finished(object):
		// kstatus is content with a Job that runs; a release whose migration may still fail is not ready.
	case result.Status == status.CurrentStatus:
		return true, "", nil
	case result.Status == status.FailedStatus && (ref.Kind != "Pod" || phase(object) == string(corev1.PodFailed)):
		return false, "", w.failed(ctx, ref, object, result.Message)
	}
	if err := replicaFailure(ref, object); err != nil {
		return false, "", err
	}
	why = fmt.Sprintf("%s is not ready (%s)", ref, lowerFirst(result.Message))
	if hint := w.hint(ctx, ref); hint != "" {
		why = fmt.Sprintf("%s waits for %s", ref, hint)
	}
	return false, why, nil
}

// finished reports whether a Job is complete, or is not to run at all.
func finished(job *unstructured.Unstructured) bool {
	suspended, _, _ := unstructured.NestedBool(job.Object, "spec", "suspend")
	return suspended || condition(job, string(batchv1.JobComplete), "True") != nil
}

// condition is the condition of that type and status, nil when the object has none.
func condition(object *unstructured.Unstructured, kind, status string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind && m["status"] == status {
			return m
		}
	}
	return nil
}

func phase(object *unstructured.Unstructured) string {
	s, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return s
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// failed is the diagnosis of an object that says of itself that it has failed.
func (w *wait) failed(ctx context.Context, ref ObjectRef, object *unstructured.Unstructured, message string) error {
	if text := failedCondition(object); text != "" {
		message = text
	}
	d := preview.Diagnosis{
		Code:  preview.CodeRollout,
		Cause: fmt.Sprintf("%s failed: %s", ref, oneLine(message)),
		Fix:   "See the evidence, correct the chart or the application and push again.",
		Blame: preview.BlameChange,
	}
	for _, pod := range w.podsOf(ctx, ref) {
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			if end := lastEnd(s); !s.Ready && len(d.Evidence) == 0 && (end == nil || end.ExitCode != 0) {
				d.Evidence = w.c.lastLines(ctx, pod, s.Name)
			}
		}
		if len(d.Evidence) == 0 {
			d.Evidence = w.c.warnings(ctx, pod)
		}
	}
	if len(d.Evidence) == 0 {
		d.Evidence = w.c.warnings(ctx, object)
	}
	return preview.Fail(nil, d)
}

// failedCondition is the message of the condition that made the object fail.
func failedCondition(object *unstructured.Unstructured) string {
	for _, bad := range [][2]string{{"Progressing", "False"}, {string(batchv1.JobFailed), "True"}, {"Stalled", "True"}} {
		if text, _ := condition(object, bad[0], bad[1])["message"].(string); text != "" {
			return text
		}
	}
	return ""
}

// replicaFailure finds pods that admission will never let in: kstatus waits for them until the deadline.
func replicaFailure(ref ObjectRef, object *unstructured.Unstructured) error {
	text, _ := condition(object, string(appsv1.DeploymentReplicaFailure), "True")["message"].(string)
	// Not "exceeded quota": pods of the older revision may be about to make room.
	if !strings.Contains(text, "violates PodSecurity") && !strings.Contains(text, "usage per ") && !strings.Contains(text, "is invalid:") {
		return nil
	}
	return preview.Fail(nil, preview.Diagnosis{
		Code:  preview.CodeRollout,
		Cause: fmt.Sprintf("%s cannot make its pods: %s", ref, oneLine(text)),
		Fix:   "Correct the pod's securityContext or resources in the chart.",
		Blame: preview.BlameConfig,
	})
}

// late is what the limit amounts to: an outage when the API server told nothing, otherwise the diagnosis of what is not ready.
func (w *wait) late(ctx context.Context) error {
	for _, ref := range w.refs {
		if !w.seen[w.resources[ref]] {
			err := w.errs[w.resources[ref]]
			if err == nil {
				err = errors.New("the API server did not answer")
			}
			return fmt.Errorf("no news of %s within %s: %w", ref, w.limit, err)
		}
	}
	for _, ref := range w.refs {
		ready, why, err := w.judge(ctx, ref)
		if err != nil {
			return err
		}
		if ready {
			continue
		}
		d := preview.Diagnosis{
			Code:  preview.CodeTimeout,
			Cause: fmt.Sprintf("Not ready after %s: %s.", w.limit, why),
			Fix:   "See the evidence; if it only needs longer, raise the limit.",
			Blame: preview.BlameUnknown,
		}
		for _, pod := range w.podsOf(ctx, ref) {
			if t := examine(pod, time.Now()); t != nil {
				return w.c.podFailure(ctx, ref.String(), pod, t)
			}
			if d.Evidence = w.c.warnings(ctx, pod); len(d.Evidence) > 0 {
				break
			}
		}
		if object := w.objects[objectKey{w.resources[ref], ref.Name}]; object != nil && len(d.Evidence) == 0 {
			d.Evidence = w.c.warnings(ctx, object)
		}
		if len(d.Evidence) == 0 {
			d.Fix = "If it only needs longer, raise the limit."
		}
		return preview.Fail(nil, d)
	}
	return nil
}
