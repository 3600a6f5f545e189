package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// podGrace is the longest that a pod may take to end when its preview goes (S6), whatever it asks for itself.
	podGrace = 30 * time.Second
	// drainLimit is how long a namespace is waited for to be without pods before it goes all the same.
	drainLimit = podGrace + 5*time.Second
)

// runners are the kinds that run something: pods, and what makes pods.
var runners = []schema.GroupVersionResource{
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "apps", Version: "v1", Resource: "replicasets"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Group: "batch", Version: "v1", Resource: "jobs"},
	{Version: "v1", Resource: "replicationcontrollers"},
	podResource,
}

// object names one object of a namespace, and says which.
type object struct {
	resource schema.GroupVersionResource
	meta     metav1.PartialObjectMetadata
}

// drain deletes what runs in the namespace with the UID of id and waits, for a bounded time, until no pod is left. A namespace that is
// deleted with its pods in it may lose its NetworkPolicies first, before Kubernetes 1.33, and a pod that ends slowly is without its walls
// (K14, CVE-2024-7598).
//
// Nothing is deleted but what was in that namespace: all of it is read before the namespace is read again, and each object goes by its
// own UID. A kind that may not be listed or deleted, and pods that do not go, hold nothing up for good.
func (c *Cluster) drain(ctx context.Context, id Identity) error {
	found, err := c.runningAsGuardian(ctx, id.Namespace)
	if err != nil || len(found) == 0 {
		return err
	}
	if _, err := c.live(ctx, id); err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(8)
	for _, o := range found {
		// What a controller has made goes with its owner: deleted before that, it would be made again.
		if metav1.GetControllerOfNoCopy(&o.meta) == nil {
			all.Go(func() error { return c.end(ctx, o, nil) })
		}
	}
	if err := all.Wait(); err != nil {
		return err
	}
	return c.waitPodless(ctx, id.Namespace)
}

// runningAsGuardian is running, with Catalyst's role in the namespace bound if it is not: an older Catalyst made it, or somebody took the binding away.
func (c *Cluster) runningAsGuardian(ctx context.Context, namespace string) ([]object, error) {
	found, denied, err := c.running(ctx, namespace)
	if err != nil || denied == nil {
		return found, err
	}
	bound := c.asGuardian(ctx, namespace, func(ctx context.Context) error {
		if found, denied, err = c.running(ctx, namespace); err != nil {
			return err
		}
		return denied
	})
	if err == nil && bound != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "not all that runs is looked at before its namespace is deleted", "namespace", namespace, "err", bound)
	}
	return found, err
}

// running lists what runs in the namespace. denied is the refusal when some of it may not be listed.
func (c *Cluster) running(ctx context.Context, namespace string) (found []object, denied, err error) {
	var mu sync.Mutex
	var all errgroup.Group
	for _, resource := range runners {
		all.Go(func() error {
			list, err := c.metadata.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if apierrors.IsForbidden(err) {
				mu.Lock()
				defer mu.Unlock()
				denied = err
				return nil
			}
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return kind(fmt.Errorf("list the %s of %s: %w", resource.Resource, namespace, err))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, item := range list.Items {
				found = append(found, object{resource, item})
			}
			return nil
		})
	}
	err = all.Wait()
	return found, denied, err
}

// end deletes exactly this object, what it owns after it. One that is gone, or is not that one any more, is success.
func (c *Cluster) end(ctx context.Context, o object, grace *int64) error {
	background := metav1.DeletePropagationBackground
	err := c.metadata.Resource(o.resource).Namespace(o.meta.Namespace).Delete(ctx, o.meta.Name, metav1.DeleteOptions{
		GracePeriodSeconds: grace,
		PropagationPolicy:  &background,
		Preconditions:      &metav1.Preconditions{UID: &o.meta.UID},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	err = kind(fmt.Errorf("delete %s %s of %s: %w", o.resource.Resource, o.meta.Name, o.meta.Namespace, err))
	if apierrors.IsForbidden(err) {
		c.log.WarnContext(ctx, "not deleted before its namespace", "err", err)
		return nil
	}
	return err
}

// waitPodless returns when the namespace has no pods, or has had some for too long.
func (c *Cluster) waitPodless(ctx context.Context, namespace string) error {
	inner, cancel := context.WithTimeout(ctx, c.drainLimit)
	changes := make(chan change)
	o := observer{c: c, resource: podResource, namespace: namespace, out: changes}
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	running.Go(func() { o.run(inner) })

	left := map[string]bool{}
	listed := false
	for {
		select {
		case <-inner.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("wait for the pods of %s to end: %w", namespace, ctx.Err())
			}
			c.log.WarnContext(ctx, "namespace is deleted with pods in it", "namespace", namespace, "pods", len(left), "after", c.drainLimit)
			return nil
		case ch := <-changes:
			if ch.err != nil {
				continue // the observer goes on; so does the time
			}
			if listed = listed || ch.all; ch.all {
				clear(left)
			}
			for _, pod := range ch.objects {
				if ch.deleted {
					delete(left, pod.GetName())
					continue
				}
				left[pod.GetName()] = true
				c.hurry(inner, pod)
			}
			if listed && len(left) == 0 {
				return nil
			}
		}
	}
}

// hurry gives a pod that is ending no longer than podGrace. A pod that is not ending has no such period.
func (c *Cluster) hurry(ctx context.Context, pod *unstructured.Unstructured) {
	grace := int64(podGrace.Seconds())
	if own := pod.GetDeletionGracePeriodSeconds(); own == nil || *own <= grace {
		return
	}
	o := object{resource: podResource}
	o.meta.Namespace, o.meta.Name, o.meta.UID = pod.GetNamespace(), pod.GetName(), pod.GetUID()
	if err := c.end(ctx, o, &grace); err != nil {
		c.log.WarnContext(ctx, "a pod keeps its long grace period", "err", err)
	}
}
