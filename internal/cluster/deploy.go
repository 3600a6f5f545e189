package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	ri "helm.sh/helm/v4/pkg/release"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// LabelVersion is the label of a release record that names the version (commit) it was made for.
const LabelVersion = "catalyst.dev/version"

// keptRevisions is how many revisions of a release stay recorded.
const keptRevisions = 3

// DeployRequest says what to put where.
type DeployRequest struct {
	Identity Identity
	Attempt  int64              // grows with every attempt at the preview: a later one takes an earlier one its rights
	Files    []File             // the chart directory
	Layers   *chart.ValuesInput // what is laid over the chart's own values.yaml; nil: nothing but Values
	Values   map[string]any     // laid over all of them
	Version  string             // head SHA, kept with the release
	Timeout  time.Duration      // for each hook; 0 means 5 minutes
	Guards   *Guards            // put there before anything of the chart is; nil: they are there

	// Step, if set, is told that a step begins, and returns what is told its end. It may be called from many goroutines.
	Step func(name preview.StepName) (end func(error))
}

// ObjectRef names one object of a release.
type ObjectRef struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String gives the object for people: `Deployment "web"`.
func (r ObjectRef) String() string { return fmt.Sprintf("%s %q", r.Kind, r.Name) }

// Deployed is what a deployment has applied. Applied is not ready: see WaitReady.
type Deployed struct {
	Objects  []ObjectRef // in the order they were applied, hooks left out
	Revision int
}

// Deploy puts the chart into the namespace of the preview, as a new release or a new revision of the one there. A release that a dead
// process has left half-done is recovered first. At most one Deploy of a namespace may run at a time (the caller's lease sees
// to that).
//
// It returns when everything is applied and the hooks are through. When ctx ends, no further write leaves and Deploy returns as soon as
// the ones under way are answered, with the release marked failed: nothing is written after its return.
//
// The chart, its hooks among it, is applied as a service account that this attempt alone has, and that may do no more than a chart should. Only the
// release's record is written by Catalyst itself: were it written as the deployer, a chart could write it too, and Catalyst reads what is in it.
//
// A *preview.Failure is CHART_INVALID, VALUES, RENDER, RENDER_LIMIT, SANDBOX, APPLY, NAMESPACE (the role of deployments is missing), HOOK_FAILED or, from the
// pods of a hook, one of this package's codes. preview.ErrStale means that a later attempt has begun.
func (c *Cluster) Deploy(ctx context.Context, r DeployRequest) (_ Deployed, err error) {
	defer func() { err = c.hidden(ctx, r.Identity, err) }()
	if c.renderer == nil {
		return Deployed{}, fmt.Errorf("deploy to %s: no renderer was given", r.Identity.Namespace)
	}
	op := c.newOperation(ctx, r)
	defer op.end()
	done, err := op.run()
	if err == nil {
		return done, nil
	}
	if ctx.Err() != nil {
		return Deployed{}, fmt.Errorf("deploy to %s, stopped: %w", r.Identity.Namespace, ctx.Err())
	}
	var failure *preview.Failure
	if errors.As(err, &failure) {
		return Deployed{}, failure
	}
	return Deployed{}, fmt.Errorf("deploy to %s: %w", r.Identity.Namespace, err)
}

// operation is one run of Deploy.
type operation struct {
	c       *Cluster
	ctx     context.Context
	r       DeployRequest
	own     *gate // for what Catalyst does itself
	gate    *gate // for what the deployer does
	client  *kubernetes.Clientset
	hired   func() (*deployer, error) // waits for the deployer; nil before it is looked for
	guarded func() error              // waits for the guards; nil before they are looked for
	applier *applier
	records *records
	objects []ObjectRef
	stuck   map[types.UID]bool // pods that will not come up by themselves
	applied func(error)        // ends the step of applying; nil before it begins
	// rendering is the context Helm gets: it ends with ctx, but only until the first write. Later Helm would answer its end by
	// returning while still writing; the gate stops it in order instead.
	rendering context.Context
	settle    func() bool
}

func (c *Cluster) newOperation(ctx context.Context, r DeployRequest) *operation {
	if r.Step == nil {
		r.Step = func(preview.StepName) func(error) { return func(error) {} }
	}
	rendering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	op := &operation{c: c, ctx: ctx, r: r, own: &gate{ctx: ctx, next: c.base}, rendering: rendering, settle: context.AfterFunc(ctx, cancel)}
	op.gate = &gate{ctx: ctx, next: asDeployer{op}}
	return op
}

// end takes the deployer its rights and returns when nothing of the operation is under way any more.
func (op *operation) end() {
	op.settle()
	op.gate.close()
	if op.hired == nil {
		op.own.close()
		return
	}
	_ = op.guarded()
	as, _ := op.hired()
	op.own.close()
	if as == nil {
		return
	}
	// Also when the operation was stopped: the lease, not its context, says whether it may still write.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(op.ctx), linger)
	defer cancel()
	if err := as.dismiss(ctx, op.c.client); err != nil {
		op.c.log.WarnContext(ctx, "deployer left to the next deployment", "namespace", op.r.Identity.Namespace, "err", err)
	}
}

func (op *operation) run() (Deployed, error) {
	ns, err := op.c.live(op.ctx, op.r.Identity)
	if err != nil {
		return Deployed{}, err
	}
	if ns.DeletionTimestamp != nil {
		return Deployed{}, fmt.Errorf("namespace is being deleted: %w", preview.ErrNotReady)
	}
	config := rest.CopyConfig(op.c.config)
	config.Transport = op.own
	if op.client, err = kubernetes.NewForConfig(config); err != nil {
		return Deployed{}, err
	}
	op.guard(ns)
	op.hire()
	helm, err := op.configure()
	if err != nil {
		return Deployed{}, err
	}
	first, number := next(op.records.all())
	end := op.r.Step(preview.StepRender)
	rendered, err := op.render(first, number, helm.Capabilities)
	end(err)
	if err != nil {
		return Deployed{}, err
	}
	if err := op.guarded(); err != nil {
		return Deployed{}, err
	}
	if _, err := op.hired(); err != nil {
		return Deployed{}, err
	}
	if err := op.recover(helm); err != nil {
		return Deployed{}, err
	}
	var result ri.Releaser
	if first {
		result, err = op.install(helm).RunWithContext(op.rendering, inert(rendered), rendered.Values)
	} else {
		result, err = op.upgrade(helm).RunWithContext(op.rendering, preview.Release, inert(rendered), rendered.Values)
	}
	if op.applied != nil {
		op.applied(err)
	}
	if err == nil {
		err = op.records.missed
	}
	if err != nil {
		return Deployed{}, op.explain(err)
	}
	return Deployed{Objects: op.objects, Revision: result.(*release.Release).Version}, nil
}

// configure gives Helm everything of its own for this operation, except what is costly to find out: that is the Cluster's.
func (op *operation) configure() (*action.Configuration, error) {
	namespace := op.r.Identity.Namespace
	config := rest.CopyConfig(op.c.config)
	config.Transport = op.gate
	mapper := &kinds{RESTMapper: op.c.mapper}
	f := factory{config: config, mapper: mapper}
	capabilities, err := op.c.currentCapabilities(op.client.Discovery())
	if err != nil {
		return nil, err
	}
	log := quiet{op.c.log.With("namespace", namespace).Handler()}
	err = inForce(op.ctx, func(context.Context) (err error) {
		op.records, err = readRecords(namespace, op.client.CoreV1().Secrets(namespace))
		return err
	})
	if err != nil {
		return nil, err
	}
	op.records.before = op.beforeApply
	op.records.SetLogger(log)
	op.applier = &applier{
		Client:    &kube.Client{Factory: f, Namespace: namespace},
		namespace: namespace,
		kinds:     mapper,
		updated:   op.startAfresh,
		waiter:    hookWaiter{c: op.c, ctx: op.ctx, namespace: namespace, step: op.r.Step},
		unchecked: op.c.unchecked,
	}
	op.applier.SetLogger(log)
	helm := action.NewConfiguration(action.ConfigurationSetLogger(log))
	// No RESTClientGetter: with one, templates could read the cluster by `lookup`, with Catalyst's rights.
	helm.KubeClient = op.applier
	helm.Capabilities = capabilities.Copy()
	helm.Releases = storage.Init(op.records)
	helm.Releases.MaxHistory = keptRevisions
	return helm, nil
}

func (op *operation) hookTimeout() time.Duration {
	if op.r.Timeout > 0 {
		return op.r.Timeout
	}
	return 5 * time.Minute
}

func (op *operation) install(helm *action.Configuration) *action.Install {
	i := action.NewInstall(helm)
	i.ReleaseName, i.Namespace = preview.Release, op.r.Identity.Namespace
	i.Replace = true // a failed first install may be in the way
	i.ServerSideApply, i.ForceConflicts = true, true
	i.WaitStrategy, i.Timeout = kube.HookOnlyStrategy, op.hookTimeout()
	i.SkipCRDs, i.SkipSchemaValidation, i.DisableOpenAPIValidation = true, true, true
	i.Description, i.Labels = op.r.Version, op.versionLabels()
	return i
}

func (op *operation) upgrade(helm *action.Configuration) *action.Upgrade {
	u := action.NewUpgrade(helm)
	u.Namespace = op.r.Identity.Namespace
	u.ServerSideApply, u.ForceConflicts = "true", true
	u.WaitStrategy, u.Timeout = kube.HookOnlyStrategy, op.hookTimeout()
	u.SkipCRDs, u.SkipSchemaValidation, u.DisableOpenAPIValidation = true, true, true
	u.ResetValues, u.MaxHistory = true, keptRevisions
	u.Description, u.Labels = op.r.Version, op.versionLabels()
	return u
}

func (op *operation) versionLabels() map[string]string {
	if op.r.Version == "" {
		return nil
	}
	return map[string]string{LabelVersion: op.r.Version}
}

// beforeApply is the last stop before the first write of a revision: everything is rendered, nothing is applied.
func (op *operation) beforeApply(rel *release.Release) error {
	if !op.settle() {
		return op.ctx.Err()
	}
	op.applied = op.r.Step(preview.StepApply)
	if err := op.lookForStuck(); err != nil {
		return err
	}
	for _, h := range rel.Hooks {
		runs := func(e release.HookEvent) bool {
			return slices.Contains([]release.HookEvent{release.HookPreInstall, release.HookPostInstall, release.HookPreUpgrade, release.HookPostUpgrade}, e)
		}
		if slices.ContainsFunc(h.Events, runs) {
			if _, err := op.applier.Build(strings.NewReader(h.Manifest), false); err != nil {
				return err
			}
		}
	}
	list, err := op.applier.Build(bytes.NewBufferString(rel.Manifest), false)
	if err != nil {
		return err
	}
	for _, info := range list {
		gvk := info.Mapping.GroupVersionKind
		op.objects = append(op.objects, ObjectRef{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: info.Namespace, Name: info.Name})
	}
	return op.prune(list)
}

// explain tells the user's mistakes from outages.
func (op *operation) explain(err error) error {
	var failure *preview.Failure
	as, _ := op.hired()
	switch {
	case unauthorized(err) && as.overtaken(op.ctx):
		return fmt.Errorf("overtaken by a later attempt: %w: %w", err, preview.ErrStale)
	case errors.As(err, &failure):
		return err
	case !op.applier.built:
		return render.Failure(err)
	case terminating(err):
		return fmt.Errorf("%w: %w", err, preview.ErrNotReady)
	case strings.Contains(err.Error(), "cannot be imported into the current release"):
		return preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeApply,
			Cause: "The chart makes an object that exists already and is not the release's: " + taken.FindString(err.Error()),
			Fix:   "Give the object another name in the chart, or delete the one in the way.",
			Blame: preview.BlameConfig,
		})
	case strings.Contains(err.Error(), "invalid resource name"): // found on this side, before it is sent
		return preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeApply,
			Cause: "The chart makes an object whose name Kubernetes does not allow: " + oneLine(err.Error()),
			Fix:   "Correct the object's name in the template, or the value it is made of.",
			Blame: preview.BlameChange,
		})
	case strings.Contains(err.Error(), "record revision") && (apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err)):
		return preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeChartInvalid,
			Cause: "The chart is too large: Helm keeps the rendered objects in one Secret, and that holds 1 MiB after compression.",
			Fix:   "Leave out of previews what makes the chart so large.",
			Blame: preview.BlameChange,
		})
	}
	if status, ok := refusal(err); ok {
		return applyFailure(err, status)
	}
	return err
}
