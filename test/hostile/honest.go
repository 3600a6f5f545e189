package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fence"
	"catalyst.dev/catalyst/test/install"
	"catalyst.dev/catalyst/test/rig"
)

// beside is how many hostile charts are worked on at once while the honest preview is deployed: with it they fill limits.deployments.
const beside = 7

// honest measures how long an honest preview takes, alone and beside hostile charts in the same process, in turns so that both meet the same
// weather.
func (f *field) honest(ctx context.Context, name string, repetitions int, r *result) error {
	h := &honestPreview{field: f}
	if err := h.prepare(ctx, name); err != nil {
		return err
	}
	var alone, among []time.Duration
	for i := range repetitions + 1 {
		quiet, err := h.deploy(ctx, 2*i)
		if err != nil {
			return err
		}
		loose, tame := f.loose(ctx)
		crowded, err := h.deploy(ctx, 2*i+1)
		tame()
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warms every cache
		}
		fmt.Printf("honest preview %d: alone %4d ms, beside %d hostile charts %4d ms\n", i, quiet.Milliseconds(), loose, crowded.Milliseconds())
		alone, among = append(alone, quiet), append(among, crowded)
	}
	r.HonestAloneMS = median(alone).Milliseconds()
	r.HonestRatio = float64(int(1000*median(among).Seconds()/median(alone).Seconds()+0.5)) / 1000
	return nil
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

// headStart is how long the hostile charts are at work before the honest preview comes.
const headStart = time.Second

// loose works on hostile charts, one after the other in each of several lines, until tame is called. Each line begins with one that works until it is
// stopped; loose returns when all of them are at it.
func (f *field) loose(ctx context.Context) (n int, tame func()) {
	ctx, cancel := context.WithCancel(ctx)
	all := corpus(f.bait)
	burning := slices.DeleteFunc(slices.Clone(all), func(h hostile) bool { return h.text != untilStopped })
	var lines sync.WaitGroup
	for i := range beside {
		lines.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			for h := burning[i%len(burning)]; ctx.Err() == nil; h = all[random.IntN(len(all))] {
				_, _, _ = f.deploy(ctx, h)
			}
		})
	}
	select {
	case <-ctx.Done():
	case <-time.After(headStart):
	}
	return beside, func() { cancel(); lines.Wait() }
}

// honestPreview is the sample application, deployed again and again.
type honestPreview struct {
	*field
	cluster *cluster.Cluster
	admin   kubernetes.Interface
	rig     *rig.Cluster
	files   []entry
}

func (h *honestPreview) prepare(ctx context.Context, name string) (err error) {
	if h.rig, err = rig.StartCluster(ctx, name, os.Stderr); err != nil {
		return err
	}
	if err := rig.Sample(ctx, h.rig, "hostile"); err != nil {
		return err
	}
	cluster.RouteLogs(slog.New(slog.DiscardHandler))
	root, err := rig.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "catalyst-hostile-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is read once
	o := install.Options{Kubeconfig: h.rig.Kubeconfig, Instance: "hostile", Domains: []string{h.rig.PreviewDomain}}
	kubeconfig, err := install.Kubeconfig(ctx, root, o, dir)
	if err != nil {
		return err
	}
	h.cluster, err = cluster.New(ctx, cluster.Options{Kubeconfig: kubeconfig, InstanceID: "hostile", Renderer: h.renderer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	admin, err := clientcmd.BuildConfigFromFlags("", h.rig.Kubeconfig)
	if err != nil {
		return err
	}
	if h.admin, err = kubernetes.NewForConfig(admin); err != nil {
		return err
	}
	deployment, err := rig.WithoutProbe()
	if err != nil {
		return err
	}
	sample := os.DirFS(filepath.Join(root, "examples", "hello"))
	return fs.WalkDir(sample, "chart", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(sample, path)
		e := entry{name: path, data: string(b)}
		if path == rig.SampleDeployment {
			e.data = deployment
		}
		h.files = append(h.files, e)
		return err
	})
}

// deploy is a pull request from its archive until its pods are available, in a namespace that is gone again afterwards. That is not yet what Catalyst calls
// ready: a container without a probe has to stay up for seconds first, beside which the rest would not be seen.
func (h *honestPreview) deploy(ctx context.Context, number int) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	id := cluster.Identity{Namespace: fmt.Sprintf("hostile-%d-%d", time.Now().UnixMilli(), number), Repository: "acme/hello"}
	id.Key = preview.Key{RepositoryID: 4711, Number: number + 1}
	start := time.Now()
	body := entries(h.files...)()
	opened, err := chart.Open(ctx, body, chart.Spec{})
	_ = body.Close()
	if err != nil {
		return 0, err
	}
	guards := fence.Wide(id.Namespace + "." + h.rig.PreviewDomain)
	if id.UID, err = h.cluster.EnsureNamespace(ctx, id, guards); err != nil {
		return 0, err
	}
	available := h.available(ctx, id.Namespace)
	_, err = h.cluster.Deploy(ctx, cluster.DeployRequest{Identity: id, Guards: &guards, Files: opened.Files, Layers: &chart.ValuesInput{
		Chart: opened, ImageRepository: h.rig.Registry + "/hello", ImageTag: "hostile", Host: id.Namespace + "." + h.rig.PreviewDomain, IngressClass: "local", Number: number,
	}})
	if err != nil {
		return 0, err
	}
	if err := available(); err != nil {
		return 0, err
	}
	took = time.Since(start)
	if err := h.cluster.DeleteNamespace(ctx, id); err != nil {
		return 0, err
	}
	return took, h.cluster.WaitGone(ctx, id, time.Minute)
}

// available returns a function that waits until the namespace's Deployment has its pods.
func (h *honestPreview) available(ctx context.Context, namespace string) (wait func() error) {
	events, err := h.admin.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{})
	return func() error {
		if err != nil {
			return err
		}
		defer events.Stop()
		for e := range events.ResultChan() {
			if d, ok := e.Object.(*appsv1.Deployment); ok && d.Status.ObservedGeneration == d.Generation && d.Status.AvailableReplicas == *d.Spec.Replicas {
				return nil
			}
		}
		return fmt.Errorf("the watch of %s ended: %w", namespace, context.Cause(ctx))
	}
}
