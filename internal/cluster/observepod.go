package cluster

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"catalyst.dev/catalyst/internal/diagnose"
)

// observedPod is a pod as a verdict wants it. names are those of the release's Services.
func observedPod(pod *corev1.Pod, owner diagnose.Ref, names []string) diagnose.Pod {
	p := diagnose.Pod{
		Name: pod.Name, UID: string(pod.UID), Owner: owner, Labels: pod.Labels,
		Phase: string(pod.Status.Phase), Reason: pod.Status.Reason, Message: pod.Status.Message,
		Deleting: pod.DeletionTimestamp != nil, Once: pod.Spec.RestartPolicy != corev1.RestartPolicyAlways,
		Created: pod.CreationTimestamp.Time, Scheduled: pod.CreationTimestamp.Time,
	}
	for _, cond := range pod.Status.Conditions {
		switch {
		case cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionTrue:
			p.Scheduled = cond.LastTransitionTime.Time
		case cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse:
			p.NoNode = noNode(pod, cond)
		case cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue:
			p.ReadyAt = cond.LastTransitionTime.Time
		}
	}
	for i := range pod.Spec.InitContainers {
		c := observedContainer(pod, &pod.Spec.InitContainers[i], pod.Status.InitContainerStatuses, names)
		// A sidecar is an init container that stays: it is judged as any other.
		always := pod.Spec.InitContainers[i].RestartPolicy
		c.Init = always == nil || *always != corev1.ContainerRestartPolicyAlways
		p.Containers = append(p.Containers, c)
	}
	for i := range pod.Spec.Containers {
		p.Containers = append(p.Containers, observedContainer(pod, &pod.Spec.Containers[i], pod.Status.ContainerStatuses, names))
	}
	p.Claims, p.Secrets = references(pod)
	for _, s := range pod.Spec.ImagePullSecrets {
		p.Pulls = append(p.Pulls, s.Name)
	}
	return p
}

// noNode is what is known of a pod that the scheduler cannot place.
func noNode(pod *corev1.Pod, cond corev1.PodCondition) *diagnose.NoNode {
	n := &diagnose.NoNode{Message: cond.Message, Since: cond.LastTransitionTime.Time}
	var cpu, memory resource.Quantity
	for _, c := range pod.Spec.Containers {
		cpu.Add(*c.Resources.Requests.Cpu())
		memory.Add(*c.Resources.Requests.Memory())
	}
	n.CPU, n.Memory = cpu.AsApproximateFloat64(), memory.AsApproximateFloat64()
	var wishes []string
	for k, v := range pod.Spec.NodeSelector {
		wishes = append(wishes, k+"="+v)
	}
	slices.Sort(wishes)
	n.Selector = strings.Join(wishes, ",")
	return n
}

func observedContainer(pod *corev1.Pod, spec *corev1.Container, statuses []corev1.ContainerStatus, names []string) diagnose.Container {
	c := diagnose.Container{
		Name: spec.Name, Image: spec.Image,
		NonRoot: nonRoot(pod, spec), Sealed: spec.SecurityContext != nil && spec.SecurityContext.ReadOnlyRootFilesystem != nil && *spec.SecurityContext.ReadOnlyRootFilesystem,
		Names: mentioned(spec, names), Probes: probes(spec),
	}
	for _, p := range spec.Ports {
		c.Ports = append(c.Ports, diagnose.Port{Name: p.Name, Number: int(p.ContainerPort)})
	}
	if q, ok := spec.Resources.Limits[corev1.ResourceMemory]; ok {
		c.Memory = q.String()
	}
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name })
	if i < 0 {
		return c
	}
	s := statuses[i]
	c.Ready, c.Restarts = s.Ready, int(s.RestartCount)
	if s.State.Waiting != nil {
		c.Waiting = &diagnose.Waits{Reason: s.State.Waiting.Reason, Message: s.State.Waiting.Message}
	}
	if s.State.Running != nil {
		c.Running, c.Started = true, s.State.Running.StartedAt.Time
	}
	c.Ended, c.Last = observedEnd(s.State.Terminated), observedEnd(s.LastTerminationState.Terminated)
	return c
}

func observedEnd(t *corev1.ContainerStateTerminated) *diagnose.End {
	if t == nil {
		return nil
	}
	return &diagnose.End{Code: int(t.ExitCode), Reason: t.Reason, Message: t.Message, Started: t.StartedAt.Time, Finished: t.FinishedAt.Time}
}

// nonRoot reports whether a container is known to run as another user than root.
func nonRoot(pod *corev1.Pod, spec *corev1.Container) bool {
	var must *bool
	var user *int64
	if s := pod.Spec.SecurityContext; s != nil {
		must, user = s.RunAsNonRoot, s.RunAsUser
	}
	if s := spec.SecurityContext; s != nil {
		if s.RunAsNonRoot != nil {
			must = s.RunAsNonRoot
		}
		if s.RunAsUser != nil {
			user = s.RunAsUser
		}
	}
	return must != nil && *must || user != nil && *user != 0
}

func probes(spec *corev1.Container) []diagnose.Probe {
	var all []diagnose.Probe
	for _, one := range []struct {
		kind  string
		probe *corev1.Probe
	}{{"Liveness", spec.LivenessProbe}, {"Readiness", spec.ReadinessProbe}, {"Startup", spec.StartupProbe}} {
		if one.probe == nil {
			continue
		}
		p := diagnose.Probe{Kind: one.kind, By: "exec"}
		p.Allowed = time.Duration(one.probe.InitialDelaySeconds+one.probe.PeriodSeconds*one.probe.FailureThreshold) * time.Second
		switch h := one.probe.ProbeHandler; {
		case h.HTTPGet != nil:
			p.By, p.Port, p.Path = "http", port(h.HTTPGet.Port), h.HTTPGet.Path
		case h.TCPSocket != nil:
			p.By, p.Port = "tcp", port(h.TCPSocket.Port)
		case h.GRPC != nil:
			p.By, p.Port = "grpc", diagnose.Port{Number: int(h.GRPC.Port)}
		}
		all = append(all, p)
	}
	return all
}

// mentioned are those of the names that a container's environment and arguments use as a host.
func mentioned(spec *corev1.Container, names []string) []string {
	words := slices.Concat(spec.Command, spec.Args)
	for _, e := range spec.Env {
		words = append(words, e.Value)
	}
	text := strings.Join(words, "\n")
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		asHost := `(^|\n|//|[@=, ])` + regexp.QuoteMeta(name) + `(\.[\w.-]+)?(:\d+|/|,|\s|$)`
		found, err := regexp.MatchString(asHost, text)
		return err != nil || !found
	})
}

// references are the claims and Secrets a pod refers to.
func references(pod *corev1.Pod) (claims, secrets []string) {
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			claims = append(claims, v.PersistentVolumeClaim.ClaimName)
		case v.Secret != nil:
			secrets = append(secrets, v.Secret.SecretName)
		}
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				secrets = append(secrets, e.ValueFrom.SecretKeyRef.Name)
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				secrets = append(secrets, e.SecretRef.Name)
			}
		}
	}
	return claims, secrets
}
