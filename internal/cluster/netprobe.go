package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"catalyst.dev/catalyst/internal/preview"
)

const (
	labelProbe = "catalyst.dev/probe" // of the namespace of the probe, and of its two pods
	probeLimit = 90 * time.Second     // for both pods to come to their end, their image pulled
	probeOpen  = "open"
	probeShut  = "fenced"
)

// errProbe says why a probe told nothing.
var errProbe = errors.New("it cannot be told")

// checkNetworkPolicy finds out whether the cluster enforces NetworkPolicy, which no API tells. Two pods dial the API server, one of them under a policy that
// allows nothing: only where the one gets through and the other does not, policies are enforced. It takes an image with a program that dials, so it
// takes Catalyst's own (`catalyst probe-network`); there is no way without one, since what the API server and the kubelet themselves send is
// not filtered anywhere.
func (c *Cluster) checkNetworkPolicy(ctx context.Context, image string, limit time.Duration) Finding {
	f := Finding{Name: "NetworkPolicy is enforced"}
	const why = "Where it is not, previews reach each other, the API server and everything else in the network of the cluster."
	if image == "" {
		f.Unknown, f.Found, f.Why = true, "not tested: there is no image to test with", why
		f.Fix = "Name Catalyst's own image as cluster.probe_image, or make sure that the cluster's network plugin enforces NetworkPolicy."
		return f
	}
	seen, err := c.probe(ctx, image, limit)
	switch {
	case errors.Is(err, errProbe):
		f.Unknown, f.Found, f.Why = true, oneLine(err.Error()), why
		f.Fix = "Check that cluster.probe_image is Catalyst's image and can be pulled, and that nodes run pods."
	case err != nil:
		f.Unknown, f.Found, f.Why, f.Fix = true, oneLine(err.Error()), why, "Start Catalyst again; the probe did not come to its end."
	case seen[probeOpen] != "reached":
		f.Unknown, f.Found, f.Why = true, "it cannot be told: pods without a policy do not reach the API server either", why
		f.Fix = "See why pods do not reach the Service kubernetes."
	case seen[probeShut] == "reached":
		f.Found, f.Why = "a pod under a policy that allows nothing reached the API server", why
		f.Fix = "Install a network plugin that enforces NetworkPolicy for ingress and egress."
	default:
		f.OK, f.Found = true, "a pod under a policy that allows nothing did not reach the API server, one without did"
	}
	return f
}

// probe runs the two pods in a namespace of their own, and returns what each says at its end.
func (c *Cluster) probe(ctx context.Context, image string, limit time.Duration) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ns, err := c.probeNamespace(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), linger)
		defer cancel()
		if err := c.client.CoreV1().Namespaces().Delete(end, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}}); err != nil {
			c.log.WarnContext(end, "probe of the network not removed; the next one will", "namespace", ns.Name, "err", err)
		}
	}()
	var as *deployer
	err = c.asGuardian(ctx, ns.Name, func(ctx context.Context) error {
		if err := keep(ctx, c.client.CoreV1().ServiceAccounts(ns.Name), account(), func(*corev1.ServiceAccount) bool { return false }); err != nil {
			return err
		}
		never := func(*networkingv1.NetworkPolicy) bool { return false }
		if err := keep(ctx, c.client.NetworkingV1().NetworkPolicies(ns.Name), shut(), never); err != nil {
			return err
		}
		as, err = c.hire(ctx, c.client, ns.Name, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("probe the network: %w", err)
	}
	config := rest.CopyConfig(c.config)
	client, err := kubernetes.NewForConfigAndClient(config, &http.Client{Transport: as})
	if err != nil {
		return nil, err
	}
	var made errgroup.Group
	for _, name := range []string{probeOpen, probeShut} {
		made.Go(func() error {
			return inForce(ctx, func(ctx context.Context) error {
				_, err := client.CoreV1().Pods(ns.Name).Create(ctx, probePod(name, image), metav1.CreateOptions{})
				return err
			})
		})
	}
	if err := made.Wait(); err != nil {
		return nil, fmt.Errorf("probe the network: %w", err)
	}
	return c.probeResults(ctx, ns.Name)
}

// probeNamespace makes the namespace of the probe. One that a dead process has left is removed, for the next time.
func (c *Cluster) probeNamespace(ctx context.Context) (*corev1.Namespace, error) {
	name := strings.TrimSuffix("catalyst-probe-"+preview.Label(c.instance), "-")
	labels := map[string]string{LabelInstance: c.instance, LabelManagedBy: managedBy, labelProbe: "true"}
	maps.Copy(labels, podSecurity("restricted"))
	ns, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}},
		metav1.CreateOptions{FieldManager: fieldManager})
	if err == nil {
		return ns, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("probe the network: %w", c.heldBack(err))
	}
	if ns, err = c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err == nil &&
		ns.Labels[labelProbe] == "true" && ns.Labels[LabelInstance] == c.instance && time.Since(ns.CreationTimestamp.Time) > 2*probeLimit {
		err = c.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}})
	}
	return nil, errors.Join(fmt.Errorf("%w: another probe is in namespace %s", errProbe, name), err)
}

// shut is the policy that allows one of the pods nothing.
func shut() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: guardMeta(guardName),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{labelProbe: probeShut}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress},
		},
	}
}

func probePod(name, image string) *corev1.Pod {
	yes, no, nobody := true, false, int64(65534)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelProbe: name, LabelManagedBy: managedBy}},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &nobody, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "probe", Image: image, Args: []string{"probe-network"},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// probeResults waits until both pods have ended. What they said counts, not that they ended: a simulated node ends pods, or lets them run, without ever
// running anything.
func (c *Cluster) probeResults(ctx context.Context, namespace string) (map[string]string, error) {
	seen, states := map[string]string{}, map[string]string{}
	for {
		pods, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: labelProbe})
		if err == nil {
			for i := range pods.Items {
				pod := &pods.Items[i]
				states[pod.Name] = fmt.Sprintf("pod %s is %s", pod.Name, pod.Status.Phase)
				for _, s := range pod.Status.ContainerStatuses {
					if end := s.State.Terminated; end != nil && (end.Message == "reached" || end.Message == "not reached") {
						seen[pod.Name] = end.Message
					}
				}
			}
		}
		if len(seen) == 2 {
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the pods of the probe did not come to their end (%s, %s)", errProbe, states[probeOpen], states[probeShut])
		case <-time.After(250 * time.Millisecond):
		}
	}
}
