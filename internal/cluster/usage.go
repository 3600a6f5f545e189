package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// metricsPath is where the use of all pods is listed by whatever counts it: metrics-server, usually.
const metricsPath = "/apis/metrics.k8s.io/v1beta1/pods"

// metricsBytes bounds what is read of that list: some 50,000 pods.
const metricsBytes = 64 << 20

// Amount is so much of the processor and of the memory.
type Amount struct {
	CPU    int64 // thousandths of a core
	Memory int64 // bytes
}

// Plus is the sum.
func (a Amount) Plus(b Amount) Amount { return Amount{a.CPU + b.CPU, a.Memory + b.Memory} }

// PodUsage is what a pod uses.
type PodUsage struct {
	Pod string
	Amount
}

// PodPlan is what a pod asked for, and how its containers fared.
type PodPlan struct {
	Pod      string
	Phase    string
	Requests Amount
	Limits   Amount // zero: a container of it has none
	Restarts int
	Ends     []End // of runs of its containers, as far as the cluster still knows them
}

// End is when a run of a container ended, and why.
type End struct {
	At        time.Time
	Container string
	Reason    string // as Kubernetes calls it: OOMKilled, Error, Completed
	ExitCode  int
}

// QuotaLine is one of the bounds of a preview.
type QuotaLine struct {
	Name string // as Kubernetes calls it: requests.memory
	Used string // quantities, as Kubernetes writes them
	Hard string
	Part float64 // of it that is used: 0 to 1
}

// Usage tells what the pods in the namespaces of this instance use now, by namespace, with one request for all of them. preview.ErrNotFound where nothing in the
// cluster counts it, preview.ErrForbidden where Catalyst may not read it.
func (c *Cluster) Usage(ctx context.Context) (map[string][]PodUsage, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	ours, err := c.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]PodUsage, len(ours))
	for _, id := range ours {
		found[id.Namespace] = nil
	}
	stream, err := c.client.CoreV1().RESTClient().Get().AbsPath(metricsPath).Stream(ctx)
	if err != nil {
		return nil, kind(fmt.Errorf("list what pods use: %w", err))
	}
	defer func() { _ = stream.Close() }()
	err = eachUsage(io.LimitReader(stream, metricsBytes), func(namespace string, u PodUsage) {
		if list, ours := found[namespace]; ours {
			found[namespace] = append(list, u)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list what pods use: %w", err)
	}
	return found, nil
}

// podMetrics is the part of a PodMetrics that is read.
type podMetrics struct {
	Metadata   struct{ Name, Namespace string }
	Containers []struct{ Usage corev1.ResourceList }
}

// eachUsage calls with each pod of a PodMetricsList, and holds one at a time: most are other people's.
func eachUsage(r io.Reader, call func(namespace string, u PodUsage)) error {
	d := json.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the answer has no list: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		if token == "items" {
			break
		}
	}
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return err // nothing is listed
	}
	for d.More() {
		var m podMetrics
		if err := d.Decode(&m); err != nil {
			return err
		}
		u := PodUsage{Pod: m.Metadata.Name}
		for _, container := range m.Containers {
			u.Amount = u.Plus(amount(container.Usage))
		}
		call(m.Metadata.Namespace, u)
	}
	return nil
}

func amount(l corev1.ResourceList) Amount {
	return Amount{l.Cpu().MilliValue(), l.Memory().Value()}
}

// Plans lists what the preview's pods asked for, and how they fared. A preview without a namespace has none: preview.ErrNotFound, and preview.ErrConflict when the
// namespace is somebody else's.
func (c *Cluster) Plans(ctx context.Context, id Identity) ([]PodPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if _, err := c.live(ctx, id); err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", id.Namespace, err)
	}
	pods, err := c.client.CoreV1().Pods(id.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil, kind(fmt.Errorf("list the pods of %s: %w", id.Namespace, err))
	}
	plans := make([]PodPlan, len(pods.Items))
	for i := range pods.Items {
		plans[i] = planOf(&pods.Items[i])
	}
	slices.SortFunc(plans, func(a, b PodPlan) int { return strings.Compare(a.Pod, b.Pod) })
	return plans, nil
}

// planOf counts the containers that run at the same time: those of the application, and init containers that stay.
func planOf(pod *corev1.Pod) PodPlan {
	p := PodPlan{Pod: pod.Name, Phase: string(pod.Status.Phase)}
	running := slices.Clone(pod.Spec.Containers)
	for i := range pod.Spec.InitContainers {
		if policy := pod.Spec.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			running = append(running, pod.Spec.InitContainers[i])
		}
	}
	boundless := Amount{1, 1}
	for i := range running {
		limit := amount(running[i].Resources.Limits)
		p.Requests, p.Limits = p.Requests.Plus(amount(running[i].Resources.Requests)), p.Limits.Plus(limit)
		boundless = Amount{boundless.CPU * sign(limit.CPU), boundless.Memory * sign(limit.Memory)}
	}
	p.Limits = Amount{p.Limits.CPU * boundless.CPU, p.Limits.Memory * boundless.Memory}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		p.Restarts += int(s.RestartCount)
		for _, t := range []*corev1.ContainerStateTerminated{s.LastTerminationState.Terminated, s.State.Terminated} {
			if t != nil && !t.FinishedAt.IsZero() {
				p.Ends = append(p.Ends, End{t.FinishedAt.Time, s.Name, t.Reason, int(t.ExitCode)})
			}
		}
	}
	return p
}

// sign is 1 for what is there and 0 for what is not.
func sign(n int64) int64 { return min(n, 1) }

// bounds are the lines of the quota that people are told of, in their order: the others only keep a chart from filling the API server's store.
var bounds = []corev1.ResourceName{
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourcePods, corev1.ResourcePersistentVolumeClaims,
}

// QuotaUse tells how much of its quota the preview has used up. preview.ErrNotFound when it has none, or no namespace.
func (c *Cluster) QuotaUse(ctx context.Context, namespace string) ([]QuotaLine, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	quota, err := c.client.CoreV1().ResourceQuotas(namespace).Get(ctx, guardName, metav1.GetOptions{})
	if err != nil {
		return nil, kind(fmt.Errorf("read the quota of %s: %w", namespace, err))
	}
	var lines []QuotaLine
	for _, name := range bounds {
		hard, bounded := quota.Status.Hard[name]
		if used, counted := quota.Status.Used[name]; bounded && counted {
			lines = append(lines, QuotaLine{string(name), used.String(), hard.String(), part(used, hard)})
		}
	}
	return lines, nil
}

func part(used, hard resource.Quantity) float64 {
	if hard.Sign() <= 0 {
		return float64(used.Sign())
	}
	return used.AsApproximateFloat64() / hard.AsApproximateFloat64()
}

// checkMetrics looks whether something counts what pods use.
func (c *Cluster) checkMetrics(ctx context.Context) Finding {
	f := Finding{Name: "metrics", Minor: true, Why: "Pages show no use of CPU and memory. Everything else works."}
	list, err := c.Usage(ctx)
	switch {
	case err == nil:
		return Finding{Name: f.Name, OK: true, Found: fmt.Sprintf("the use of pods is counted, in %d namespaces of this instance", len(list))}
	case errors.Is(err, preview.ErrNotFound):
		f.Found, f.Fix = "the cluster has no metrics.k8s.io", "Install metrics-server, if people are to see it."
	case errors.Is(err, preview.ErrForbidden):
		f.Found, f.Fix = "Catalyst may not list pods of metrics.k8s.io", "Apply deploy/manifests of this version of Catalyst."
	case apierrors.IsServiceUnavailable(err):
		f.Found, f.Fix = "metrics.k8s.io does not answer", "kubectl get apiservice v1beta1.metrics.k8s.io"
	default:
		f.Unknown, f.Found, f.Fix = true, "not checked: "+oneLine(err.Error()), "Try again."
	}
	return f
}
