package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// Options says which cluster to act on, and as whom.
type Options struct {
	Kubeconfig string       // path of a kubeconfig file; "" means the cluster this process runs in
	InstanceID string       // tells the namespaces of two Catalyst instances in one cluster apart; a label value
	Renderer   Renderer     // without one, Deploy fails
	Log        *slog.Logger // nil means slog.Default()
	Sources    string       // namespace of the Secrets that are copied to previews; "" means the one this process runs in
	Own        []string     // secrets of Catalyst itself, which no error or diagnosis shows

	// Learn is told the values of Secrets as they become known, so that they stay out of the log. nil: nobody is told.
	Learn func(values ...string)

	// Judged, if set, is given what each failure of a release rests on, logs and events among it, before it is told. It must be quick
	// and may be called from many goroutines.
	Judged func(Identity, diagnose.Observed, preview.Diagnosis)

	wrap      func(http.RoundTripper) http.RoundTripper // tests count and cut requests here
	unchecked bool                                      // tests leave the friendly checks out, to see that the API server refuses by itself
}

// Cluster acts on one Kubernetes cluster on behalf of one Catalyst instance. It is safe for concurrent use.
type Cluster struct {
	instance  string
	unchecked bool
	renderer  Renderer
	log       *slog.Logger
	config    *rest.Config      // host and no credentials: those are in transport
	base      http.RoundTripper // authenticated, shared by everything that Catalyst does itself
	bare      http.RoundTripper // without credentials, for what is done as somebody else
	client    *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	metadata  metadata.Interface // for questions that the names alone answer
	mapper    meta.RESTMapper
	judged    func(Identity, diagnose.Observed, preview.Diagnosis)
	sources   string // namespace
	own       []string
	learn     func(values ...string)
	seen      memory

	drainLimit time.Duration // the constant; tests shorten it

	mu             sync.Mutex // guards what follows
	capabilities   *common.Capabilities
	capabilitiesAt time.Time
	defaults       *defaults
	defaultsAt     time.Time
	identity       rbacv1.Subject // who Catalyst is to the API server; see self
}

// New prepares to act on the cluster. It makes no request, so the API server need not answer yet (see Ping).
func New(_ context.Context, o Options) (*Cluster, error) {
	if msgs := validation.IsValidLabelValue(o.InstanceID); o.InstanceID == "" || len(msgs) > 0 {
		return nil, fmt.Errorf("instance id %q is not a label value (letters, digits, -, _ and ., at most 63): %w", o.InstanceID, preview.ErrInvalid)
	}
	config, err := restConfig(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	// API priority and fairness on the server decides who waits; a client-side limit would only hide it.
	config.QPS = -1
	config.UserAgent = "catalyst"
	base, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	bare, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	if o.wrap != nil {
		base, bare = o.wrap(base), o.wrap(bare)
	}
	base, bare = counted{leased{base}}, counted{leased{bare}}
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("address of the API server %q: %w", config.Host, err)
	}
	c := &Cluster{
		instance: o.InstanceID, unchecked: o.unchecked,
		renderer: o.Renderer,
		log:      o.Log,
		config:   &rest.Config{Host: host.String(), QPS: -1, UserAgent: config.UserAgent},
		base:     base,
		bare:     bare,
		judged:   o.Judged,
		sources:  o.Sources,
		own:      o.Own,
		learn:    o.Learn,

		drainLimit: drainLimit,
	}
	if c.sources == "" {
		c.sources = ownNamespace()
	}
	if c.learn == nil {
		c.learn = func(...string) {}
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	client := &http.Client{Transport: base}
	if c.client, err = kubernetes.NewForConfigAndClient(c.config, client); err != nil {
		return nil, fmt.Errorf("client for %s: %w", host, err)
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(c.config, client); err != nil {
		return nil, fmt.Errorf("client for %s: %w", host, err)
	}
	if c.metadata, err = metadata.NewForConfigAndClient(c.config, client); err != nil {
		return nil, fmt.Errorf("client for %s: %w", host, err)
	}
	// All operations share what the mapper finds out, so no operation's context ends its requests.
	if c.mapper, err = apiutil.NewDynamicRESTMapper(c.config, &http.Client{Transport: base, Timeout: 30 * time.Second}); err != nil {
		return nil, fmt.Errorf("client for %s: %w", host, err)
	}
	return c, nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("find the cluster this process runs in (name a kubeconfig file when it runs outside): %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}

// Ping returns nil when the API server answers.
func (c *Cluster) Ping(ctx context.Context) error {
	if err := c.client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return fmt.Errorf("ask %s for its version: %w", c.config.Host, err)
	}
	return nil
}
