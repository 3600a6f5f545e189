package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/validation"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// RouteLogs sends what client-go says through klog to log, at debug level. klog has one logger for the whole process and
// swapping it is not safe while it is used: call this once, before the first New.
func RouteLogs(log *slog.Logger) { klog.SetSlogLogger(slog.New(quiet{log.Handler()})) }

// quiet turns what a library thinks worth telling into a debug message.
type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

// Enabled implements slog.Handler. Below debug, client-go tells the bodies of its requests, Secrets among them: those are never logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug && q.Handler.Enabled(ctx, slog.LevelDebug)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

// capabilitiesAge is how long the list of what the cluster can do (.Capabilities in templates) is believed.
const capabilitiesAge = 5 * time.Minute

// currentCapabilities returns what templates may ask about the cluster, asking it through client when that is not known or old. Preset, it
// keeps Helm from discovering everything anew for each operation.
func (c *Cluster) currentCapabilities(client discovery.DiscoveryInterface) (*common.Capabilities, error) {
	c.mu.Lock()
	known, at := c.capabilities, c.capabilitiesAt
	c.mu.Unlock()
	if known != nil && time.Since(at) < capabilitiesAge {
		return known, nil
	}
	// Not under the lock: an API server that does not answer would hold up operations that could be cancelled.
	version, err := client.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("ask the API server for its version: %w", err)
	}
	// A broken extension API server must not stop deployments: what answered is taken.
	apis, err := action.GetVersionSet(client)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("ask the API server for its API groups: %w", err)
	}
	known = &common.Capabilities{
		KubeVersion: common.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		APIVersions: apis,
		HelmVersion: common.DefaultCapabilities.HelmVersion,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capabilities, c.capabilitiesAt = known, time.Now()
	return known, nil
}

// factory gives Helm its clients: all go through the gate of one operation and share what the Cluster knows.
type factory struct {
	config *rest.Config
	mapper meta.RESTMapper
}

func (f factory) client() *http.Client { return &http.Client{Transport: f.config.Transport} }

func (f factory) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(f.config), nil }

func (f factory) ToRESTMapper() (meta.RESTMapper, error) { return f.mapper, nil }

func (f factory) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return nil, errors.New("discovery goes through the mapper")
}

func (f factory) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(api.Config{}, nil)
}

func (f factory) DynamicClient() (dynamic.Interface, error) {
	return dynamic.NewForConfigAndClient(f.config, f.client())
}

func (f factory) KubernetesClientSet() (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfigAndClient(f.config, f.client())
}

func (f factory) NewBuilder() *resource.Builder { return resource.NewBuilder(f) }

// Validator returns one that accepts everything: the API server validates strictly when objects are applied, and validating
// here would load its whole OpenAPI document for each operation.
func (f factory) Validator(string) (validation.Schema, error) { return validation.NullSchema{}, nil }

// kinds is the RESTMapper of one operation. It keeps the two reasons for not finding a kind apart, which the builder of objects
// blurs: there is none, or the API server did not answer.
type kinds struct {
	meta.RESTMapper
	missing atomic.Pointer[schema.GroupVersionKind]
	outage  atomic.Pointer[error]
}

// RESTMapping implements meta.RESTMapper.
func (k *kinds) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	m, err := k.RESTMapper.RESTMapping(gk, versions...)
	switch {
	case err == nil:
		return m, nil
	case meta.IsNoMatchError(err):
		missing := gk.WithVersion(strings.Join(versions, " or "))
		k.missing.Store(&missing)
		return nil, &meta.NoKindMatchError{GroupKind: gk, SearchedVersions: versions}
	}
	k.outage.Store(&err)
	return nil, err
}

// applier is Helm's client with the rules of a preview.
type applier struct {
	*kube.Client
	namespace string
	kinds     *kinds
	waiter    hookWaiter
	built     bool // Build was called, so the templates have rendered
	unchecked bool // objects elsewhere are left to the API server to refuse
	updated   func() error
}

// Update applies a release's objects over those that are there. Helm calls it for nothing else, and before the hooks that come after.
func (a *applier) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	result, err := a.Client.Update(originals, targets, options...)
	if err == nil {
		err = a.updated()
	}
	return result, err
}

// Build reads the objects of a manifest and refuses those outside of the preview's namespace. The role of Catalyst and the
// admission policies are what really keeps a chart inside; this is the friendly message.
func (a *applier) Build(r io.Reader, validate bool) (kube.ResourceList, error) {
	a.built = true
	list, err := a.Client.Build(r, validate)
	if outage := a.kinds.outage.Load(); outage != nil {
		return nil, fmt.Errorf("find the kinds of the chart's objects: %w", *outage)
	}
	if err != nil {
		return nil, a.buildFailure(err)
	}
	if a.unchecked {
		return list, nil
	}
	for _, info := range list {
		a.waiter.c.rememberRendered(info.Namespace, info) // whatever is said from now on
		object := fmt.Sprintf("%s %q", info.Mapping.GroupVersionKind.Kind, info.Name)
		switch {
		case info.Mapping.Scope.Name() != meta.RESTScopeNameNamespace:
			return nil, preview.Fail(nil, preview.Diagnosis{
				Code:  preview.CodeApply,
				Cause: object + " belongs to the whole cluster: a preview may make objects in its own namespace " + a.namespace + " only.",
				Fix:   "Leave it out of previews, for example behind a value in the chart.",
				Blame: preview.BlameConfig,
			})
		case info.Namespace != a.namespace:
			return nil, preview.Fail(nil, preview.Diagnosis{
				Code: preview.CodeApply,
				Cause: fmt.Sprintf("%s wants to be in namespace %q: a preview may make objects in its own namespace %s only.",
					object, info.Namespace, a.namespace),
				Fix:   "Take metadata.namespace out of the template, or write {{ .Release.Namespace }}.",
				Blame: preview.BlameConfig,
			})
		}
	}
	return list, nil
}

func (a *applier) buildFailure(err error) error {
	missing := a.kinds.missing.Load()
	if missing == nil {
		return render.Failure(err)
	}
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeApply,
		Cause: fmt.Sprintf("The cluster knows no kind %s in %s, which the chart makes an object of.", missing.Kind, missing.GroupVersion()),
		Fix:   "Correct apiVersion and kind, leave the object out of previews, or have its CustomResourceDefinition installed in the cluster.",
		Blame: preview.BlameConfig,
	})
}

// IsReachable answers without a request: the next real one will tell.
func (a *applier) IsReachable() error { return nil }

// GetWaiter implements kube.Interface.
func (a *applier) GetWaiter(kube.WaitStrategy) (kube.Waiter, error) { return a.waiter, nil }

// GetWaiterWithOptions implements kube.InterfaceWaitOptions.
func (a *applier) GetWaiterWithOptions(kube.WaitStrategy, ...kube.WaitOption) (kube.Waiter, error) {
	return a.waiter, nil
}

// GetPodList gives none: Helm asks only to copy the logs of hooks, and those are read where a hook fails.
func (a *applier) GetPodList(string, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, nil
}

// OutputContainerLogsForPodList implements kube.Interface.
func (a *applier) OutputContainerLogsForPodList(*corev1.PodList, string, func(namespace, pod, container string) io.Writer) error {
	return nil
}
