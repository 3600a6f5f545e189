package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// look judges the state of the release: how far it is, or why it will not get there.
func (w *wait) look(ctx context.Context) (Progress, error) {
	o, verdict := w.verdict(ctx, false)
	p := Progress{Total: len(o.Objects), Waiting: verdict.Waits}
	for _, object := range o.Objects {
		if object.Ready {
			p.Ready++
		}
	}
	switch {
	case verdict.State == diagnose.Hopeless:
		return p, w.fail(o, verdict)
	case verdict.State == diagnose.Waiting && p.Ready == p.Total && p.Total > 0:
		p.Ready-- // what leads to the pods is not right
	}
	return p, nil
}

// verdict judges what is known, and what it asks for as well once that is there.
func (w *wait) verdict(ctx context.Context, over bool) (diagnose.Observed, diagnose.Verdict) {
	const rounds = 3 // events lead to logs, and logs to the log of a run before
	o := w.observe(ctx, over)
	verdict := diagnose.Judge(o)
	for range rounds {
		if verdict.State == diagnose.Fine || !w.gather(ctx, verdict) {
			break
		}
		o = w.observe(ctx, over)
		verdict = diagnose.Judge(o)
	}
	return o, verdict
}

// fail makes a verdict without hope the end of the wait.
func (w *wait) fail(o diagnose.Observed, verdict diagnose.Verdict) error {
	if w.c.judged != nil {
		w.c.judged(w.id, o, *verdict.Diagnosis)
	}
	return preview.Fail(nil, *verdict.Diagnosis)
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
	if o, verdict := w.verdict(ctx, true); verdict.State == diagnose.Hopeless {
		return w.fail(o, verdict)
	}
	return nil
}

// state says whether an object is ready, or says of itself that it has failed, and otherwise what it says that it waits for.
func (w *wait) state(ref ObjectRef, object *unstructured.Unstructured) (ready, failed bool, says string) {
	if !settles(ref) {
		return true, false, ""
	}
	if ref.Kind == "Pod" && w.hook != nil {
		return phase(object) == string(corev1.PodSucceeded), phase(object) == string(corev1.PodFailed), "it runs"
	}
	result, err := status.Compute(object)
	if err != nil {
		// It may become readable: until the limit it is something that is waited for.
		return false, false, "its status cannot be read: " + err.Error()
	}
	switch result.Status {
	case status.CurrentStatus:
		// kstatus is content with a Job that runs; a release whose migration may still fail is not ready.
		ready = ref.Kind != "Job" || ref.Group != batchv1.GroupName || finished(object)
	case status.FailedStatus:
		failed = ref.Kind != "Pod" || phase(object) == string(corev1.PodFailed)
	}
	return ready, failed, result.Message
}

// finished reports whether a Job is complete, or is not to run at all.
func finished(job *unstructured.Unstructured) bool {
	suspended, _, _ := unstructured.NestedBool(job.Object, "spec", "suspend")
	return suspended || condition(job, string(batchv1.JobComplete), string(corev1.ConditionTrue)) != nil
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

// custom reports whether an operator acts on objects of that kind, rather than Kubernetes itself.
func custom(ref ObjectRef) bool {
	return strings.Contains(ref.Group, ".") && !strings.HasSuffix(ref.Group, ".k8s.io")
}

// settles reports whether an object goes on changing after it was applied until it is ready. The others are ready when they exist.
func settles(ref ObjectRef) bool {
	switch ref.Group {
	case appsv1.GroupName, batchv1.GroupName:
		return ref.Kind != "ControllerRevision" && ref.Kind != "CronJob"
	case "":
		return ref.Kind == "Pod" || ref.Kind == "PersistentVolumeClaim"
	}
	// Custom resources have conditions; Kubernetes' own groups that are left have nothing to wait for.
	return custom(ref)
}
