// Package router is the cluster's Ingress controller: it leads HTTP requests by their Host to the pods behind Ingresses of the
// class "local". It knows no TLS and no annotations.
package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"

	"catalyst.dev/catalyst/localcluster/internal/watch"
)

// Options say which cluster is routed to, and from where.
type Options struct {
	Kubeconfig string
	Listener   uintptr // descriptor of a listening socket
	Address    string  // what the status of Ingresses says they are reached at
}

// Router routes requests. It serves nothing known before it has seen the cluster.
type Router struct {
	table     atomic.Pointer[routes]
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	transport http.RoundTripper
}

// Run routes until ctx ends.
func Run(ctx context.Context, o Options) error {
	listener, err := net.FileListener(os.NewFile(o.Listener, "listener"))
	if err != nil {
		return fmt.Errorf("take over the listening socket %d: %w", o.Listener, err)
	}
	client, f, err := watch.Connect(o.Kubeconfig)
	if err != nil {
		return err
	}
	ingresses, services, slices := f.Networking().V1().Ingresses(), f.Core().V1().Services(), f.Discovery().V1().EndpointSlices()
	r := &Router{services: services.Lister(), slices: slices.Lister(), transport: transport()}
	services.Informer()
	slices.Informer()

	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	watching, cancel := context.WithCancelCause(ctx)
	go func() { cancel(<-failed) }()
	err = watch.Run(watching, f, func() error {
		list, _ := ingresses.Lister().List(labels.Everything()) // from memory, does not fail
		t := tableOf(list)
		r.table.Store(&t)
		return publish(watching, client, list, o.Address)
	}, ingresses.Informer())
	server.Close()
	if err == nil && ctx.Err() == nil {
		err = fmt.Errorf("serve: %w", context.Cause(watching))
	}
	return err
}

func transport() http.RoundTripper {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     10 * time.Second, // pods come and go
	}
}

func published(i *netv1.Ingress, address string) bool {
	list := i.Status.LoadBalancer.Ingress
	return len(list) == 1 && list[0].IP == address
}

// publish writes the address into the status of every served Ingress that does not have it.
func publish(ctx context.Context, client kubernetes.Interface, list []*netv1.Ingress, address string) error {
	want := []netv1.IngressLoadBalancerIngress{{IP: address}}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": want}}})
	if err != nil {
		return fmt.Errorf("publish the address of Ingresses: %w", err)
	}
	var errs []error
	for _, i := range list {
		if !served(i) || published(i, address) {
			continue
		}
		_, err := client.NetworkingV1().Ingresses(i.Namespace).Patch(ctx, i.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			slog.Error("publish the address of an Ingress", "ingress", i.Namespace+"/"+i.Name, "error", err)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
