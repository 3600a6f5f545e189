package cluster

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
)

// TestPreviewIsFencedIn dials from pods, in a preview with its guards and in a namespace that has none: what the one does not reach the other
// does, so it is the policy that keeps it.
func TestPreviewIsFencedIn(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	open := f.identity("-open").Namespace
	if _, err := f.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: open}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	own, foreign := f.listener(f.id.Namespace), f.listener(open)
	server, err := f.admin.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dns, err := f.admin.CoreV1().Services("kube-system").Get(t.Context(), "kube-dns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		from, address string
		want          string
	}{
		"own-pod":       {f.id.Namespace, own + ":8080", "reached"},
		"names":         {f.id.Namespace, dns.Spec.ClusterIP + ":53", "reached"},
		"api-server":    {f.id.Namespace, server.Spec.ClusterIP + ":443", "not reached"},
		"node":          {f.id.Namespace, f.c.server().String() + ":6443", "not reached"},
		"foreign-pod":   {f.id.Namespace, foreign + ":8080", "not reached"},
		"from-foreign":  {open, own + ":8080", "not reached"},
		"open-pod":      {open, foreign + ":8080", "reached"},
		"open-server":   {open, server.Spec.ClusterIP + ":443", "reached"},
		"open-node":     {open, f.c.server().String() + ":6443", "reached"},
		"open-own-pods": {open, foreign + ":8080", "reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := f.dial(t, test.from, name, test.address); got != test.want {
				t.Errorf("%s from %s: %s, want %s", test.address, test.from, got, test.want)
			}
		})
	}
}

// listener starts a pod that listens on port 8080, and returns its address.
func (f *fenced) listener(namespace string) string {
	f.t.Helper()
	pod := probePod("listener", clustertest.Image(f.t))
	pod.Labels, pod.Spec.Containers[0].Args = nil, nil
	if _, err := f.admin.CoreV1().Pods(namespace).Create(f.t.Context(), pod, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	address := ""
	f.eventually(func() error {
		pod, err := f.admin.CoreV1().Pods(namespace).Get(f.t.Context(), "listener", metav1.GetOptions{})
		if err != nil || pod.Status.PodIP == "" || pod.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("the listener in %s does not run yet: %w", namespace, err)
		}
		address = pod.Status.PodIP
		return nil
	})
	return address
}

// dial has a pod dial an address until the network had time to apply its policies, and returns what became of the last attempt.
func (f *fenced) dial(t *testing.T, namespace, name, address string) string {
	t.Helper()
	pod := probePod("dial-"+name, clustertest.Product(t))
	pod.Labels = nil
	pod.Spec.Containers[0].Args = append(pod.Spec.Containers[0].Args, "--address", address)
	if _, err := f.admin.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	said := ""
	f.eventually(func() error {
		pod, err := f.admin.CoreV1().Pods(namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, s := range pod.Status.ContainerStatuses {
			if s.State.Terminated != nil {
				said = s.State.Terminated.Message
				return nil
			}
		}
		return fmt.Errorf("pod %s has not ended", pod.Name)
	})
	return said
}
