package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// defaults are what the cluster gives objects that leave the choice to it.
type defaults struct {
	ingressClass string // "" means that there is none
	storageClass string // "" means that there is none whose volumes are deleted with their claims
}

const isDefaultStorageClass = "storageclass.kubernetes.io/is-default-class"

// currentDefaults returns the cluster's defaults, asking it when they are not known or old.
func (c *Cluster) currentDefaults(ctx context.Context) (defaults, error) {
	c.mu.Lock()
	known, at := c.defaults, c.defaultsAt
	c.mu.Unlock()
	if known != nil && time.Since(at) < capabilitiesAge {
		return *known, nil
	}
	classes, err := c.client.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return defaults{}, fmt.Errorf("list the ingress classes: %w", err)
	}
	stores, err := c.client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return defaults{}, fmt.Errorf("list the storage classes: %w", err)
	}
	found := defaults{ingressClass: defaultIngressClass(classes.Items), storageClass: defaultStorageClass(stores.Items)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.defaults, c.defaultsAt = &found, time.Now()
	return found, nil
}

func defaultIngressClass(classes []networkingv1.IngressClass) string {
	for _, class := range classes {
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			return class.Name
		}
	}
	return ""
}

// defaultStorageClass is the one that Kubernetes takes: of several, the newest.
func defaultStorageClass(classes []storagev1.StorageClass) string {
	var newest *storagev1.StorageClass
	for i, class := range classes {
		if class.Annotations[isDefaultStorageClass] == "true" && (newest == nil || newest.CreationTimestamp.Before(&class.CreationTimestamp)) {
			newest = &classes[i]
		}
	}
	if newest == nil || newest.ReclaimPolicy != nil && *newest.ReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return ""
	}
	return newest.Name
}
