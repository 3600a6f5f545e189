package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
	"catalyst.dev/catalyst/test/fence"
	"catalyst.dev/catalyst/test/install"
	"catalyst.dev/catalyst/test/rig"
)

const (
	// readyLimit is for a machine that is busy with other things; on an idle one nothing comes near the product's three minutes.
	readyLimit = 10 * time.Minute
	// undecidedLimit is that of the cases that nothing else ends.
	undecidedLimit = 12 * time.Second
	hookLimit      = 5 * time.Minute
)

// theatre is where the cases play, all at the same time.
type theatre struct {
	cluster *cluster.Cluster
	admin   *kubernetes.Clientset
	objects *dynamic.DynamicClient
	witness *witness
	images  images
	render  *render.Renderer

	mu     sync.Mutex
	judged map[string]diagnose.Observed // by namespace: what the last failure rests on
}

// result is how one case went.
type result struct {
	scene
	said    *preview.Diagnosis // nil when it became ready
	err     error              // neither ready nor a diagnosis
	known   bool               // the cluster's own knowing was seen
	seconds float64            // from then to the diagnosis
	took    time.Duration
	why     string // what is not right; "" when all is
	unsure  bool   // it was said that it is not sure
	rests   *diagnose.Observed
}

// open connects to the cluster and pushes the images. What it returns is closed by its render.Close, also after an error.
func open(ctx context.Context, kubeconfig, registry string) (*theatre, error) {
	t := &theatre{judged: map[string]diagnose.Observed{}, render: render.New(render.Options{})}
	cluster.RouteLogs(slog.New(slog.DiscardHandler))
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return t, err
	}
	config.QPS = -1
	if t.admin, err = kubernetes.NewForConfig(config); err != nil {
		return t, err
	}
	if t.objects, err = dynamic.NewForConfig(config); err != nil {
		return t, err
	}
	root, err := rig.Root()
	if err != nil {
		return t, err
	}
	dir, err := os.MkdirTemp("", "catalyst-diagnose-")
	if err != nil {
		return t, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is read once
	least, err := install.Kubeconfig(ctx, root, install.Options{Kubeconfig: kubeconfig, Instance: "diagnose", Domains: []string{"preview.localhost"}}, dir)
	if err != nil {
		return t, err
	}
	t.cluster, err = cluster.New(ctx, cluster.Options{
		Kubeconfig: least, InstanceID: "diagnose", Log: slog.New(slog.DiscardHandler), Judged: t.judge, Renderer: t.render,
	})
	if err != nil {
		return t, err
	}
	if t.images, err = pushImages(ctx, registry); err != nil {
		return t, err
	}
	t.witness = newWitness(t.admin, ctx.Done())
	return t, t.startRegistry(ctx)
}

func (t *theatre) judge(id cluster.Identity, o diagnose.Observed, _ preview.Diagnosis) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judged[id.Namespace] = o
}

// play plays the cases, at most as many at once as said, and calls told as they end.
func (t *theatre) play(ctx context.Context, all []scene, atOnce int, told func(result)) []result {
	results := make([]result, len(all))
	places := make(chan struct{}, atOnce)
	var playing sync.WaitGroup
	var telling sync.Mutex
	for n, s := range all {
		playing.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			results[n] = t.one(ctx, n, s)
			telling.Lock()
			defer telling.Unlock()
			told(results[n])
		})
	}
	playing.Wait()
	return results
}

// one plays one case.
func (t *theatre) one(ctx context.Context, n int, s scene) (r result) {
	r.scene = s
	st := &stage{namespace: "diagnose-" + s.name, admin: t.admin, objects: t.objects}
	if r.err = st.clear(ctx); r.err != nil {
		r.why = r.err.Error()
		return r
	}
	defer func() {
		r.judge()
		if r.why == "" || len(st.ends) > 0 { // otherwise the namespace is kept to be looked at
			if err := st.end(context.WithoutCancel(ctx)); err != nil && r.err == nil {
				r.err = err
			}
		}
	}()
	id := cluster.Identity{Namespace: st.namespace, Key: preview.Key{RepositoryID: 5, Number: n + 1}, Repository: "acme/web"}
	guards := fence.Wide(st.namespace + ".preview.localhost")
	if id.UID, r.err = t.cluster.EnsureNamespace(ctx, id, guards); r.err != nil {
		return r
	}
	if r.err = t.cluster.KeepGuards(ctx, id, guards); r.err != nil {
		return r
	}
	if s.before != nil {
		if r.err = s.before(ctx, st); r.err != nil {
			return r
		}
	}
	if s.first != nil {
		if r.err = t.deploy(ctx, id, scene{chart: s.first}, st); r.err != nil {
			return r
		}
	}
	t.witness.expect(st.namespace, s.known)
	began := time.Now()
	known := began
	st.applied = time.Time{}
	err := t.deploy(ctx, id, s, st)
	told := time.Now()
	if !st.applied.IsZero() {
		known = st.applied // what is wrong between the objects is there to be seen once they are
	}
	r.took = told.Sub(began)
	if s.known != nil {
		known = t.witness.wait(ctx, 5*time.Second, st.namespace)
	}
	if r.known = !known.IsZero() && !s.undecided; r.known {
		r.seconds = max(0, told.Sub(known).Seconds())
	}
	var failure *preview.Failure
	if errors.As(err, &failure) {
		r.said = &failure.Diagnosis
		r.rests = t.rests(st.namespace)
	} else {
		r.err = err
	}
	return r
}

func (t *theatre) rests(namespace string) *diagnose.Observed {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok := t.judged[namespace]; ok {
		return &o
	}
	return nil
}

// deploy brings a chart up as the product does.
func (t *theatre) deploy(ctx context.Context, id cluster.Identity, s scene, st *stage) error {
	limit := s.limit
	if limit == 0 {
		limit = readyLimit
		if s.undecided {
			limit = undecidedLimit
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	deployed, err := t.cluster.Deploy(ctx, cluster.DeployRequest{Identity: id, Files: s.chart, Version: strings.Repeat("a", 40), Timeout: min(limit, hookLimit)})
	if err != nil {
		return err
	}
	st.applied = time.Now()
	if s.after != nil {
		if err := s.after(ctx, st); err != nil {
			return err
		}
	}
	if s.undecided && s.known != nil && t.witness.wait(ctx, 5*time.Minute, st.namespace).IsZero() {
		return errors.New("the cluster has not shown what there is to know")
	}
	during := make(chan error, 1)
	if s.during != nil {
		go func() { during <- s.during(ctx, st) }()
	} else {
		during <- nil
	}
	err = t.cluster.WaitReady(ctx, id, deployed.Objects, limit, nil)
	stop()
	if other := <-during; other != nil && !errors.Is(other, context.Canceled) {
		return other
	}
	return err
}

// judge compares what was said with what should have been.
func (r *result) judge() {
	switch {
	case r.err != nil:
		r.why = r.err.Error()
		return
	case r.said == nil && r.want == wellBehaved:
		return
	case r.said == nil:
		r.why = "became ready"
		return
	}
	d := r.said
	r.unsure = d.Confidence > 0 && d.Confidence < preview.Unsure
	text := d.Sentence() + "\n" + strings.Join(d.Evidence, "\n")
	fixes := d.Fix
	also := ""
	for _, a := range d.Alternatives {
		fixes += "\n" + a.Fix
		if a.Too {
			also = a.Code
		}
	}
	var wrong []string
	if d.Code != r.want {
		wrong = append(wrong, "code "+d.Code)
	}
	if also != r.also {
		wrong = append(wrong, "also "+also)
	}
	for _, word := range r.words {
		if !strings.Contains(text, word) {
			wrong = append(wrong, "without "+word)
		}
	}
	if !regexp.MustCompile("(?i)" + regexp.QuoteMeta(r.fix)).MatchString(fixes) {
		wrong = append(wrong, "fix: "+d.Fix)
	}
	if len(d.Evidence) == 0 && d.Code != preview.CodeValues {
		wrong = append(wrong, "no evidence")
	}
	if r.unsure != r.scene.unsure {
		wrong = append(wrong, fmt.Sprintf("confidence %.2f", d.Confidence))
	}
	if r.scene.known != nil && !r.known && !r.undecided {
		wrong = append(wrong, "the cluster was not seen to know")
	}
	r.why = strings.Join(wrong, "; ")
}
