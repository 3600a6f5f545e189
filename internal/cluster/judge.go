package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"catalyst.dev/catalyst/internal/preview"
)

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
		//nolint:nilerr // it may become readable: until the limit it is something that is waited for
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
	if text, _ := condition(object, string(appsv1.DeploymentReplicaFailure), "True")["message"].(string); text != "" {
		return false, fmt.Sprintf("%s cannot make its pods (%s)", ref, oneLine(text)), replicaFailure(ref, text)
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
func replicaFailure(ref ObjectRef, text string) error {
	// Not "exceeded quota": pods of the older revision may be about to make room.
	if !strings.Contains(text, "violates PodSecurity") && !strings.Contains(text, "usage per ") && !strings.Contains(text, "is invalid:") {
		return nil
	}
	return preview.Fail(nil, preview.Diagnosis{
		Code:  preview.CodeRollout,
		Cause: fmt.Sprintf("%s cannot make its pods: %s", ref, oneLine(text)),
		Fix:   "Correct the pod's securityContext or resources in the chart; docs/guards.md says what a preview is held to, and how to loosen it.",
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
