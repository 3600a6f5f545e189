// Package watch tells when something in the cluster has changed, for programs that then look at everything anew.
package watch

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settle is how long changes are gathered before they are looked at.
const settle = 30 * time.Millisecond

// Connect makes a client and a factory of informers from a kubeconfig.
func Connect(kubeconfig string) (kubernetes.Interface, informers.SharedInformerFactory, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("make a client from kubeconfig %s: %w", kubeconfig, err)
	}
	return client, informers.NewSharedInformerFactory(client, 0), nil
}

// Run starts the factory's informers and calls look once all of them know the cluster, and again after changes in those
// given, never twice at the same time. An error from look has it called again a second later. Run returns when ctx ends.
func Run(ctx context.Context, f informers.SharedInformerFactory, look func() error, on ...cache.SharedIndexInformer) error {
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for _, i := range on {
		_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { note() },
			UpdateFunc: func(any, any) { note() },
			DeleteFunc: func(any) { note() },
		})
		if err != nil {
			return fmt.Errorf("watch the cluster: %w", err)
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	note()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		if err := look(); err != nil {
			time.AfterFunc(time.Second, note)
		}
	}
}
