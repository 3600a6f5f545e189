// Package metrics serves metrics.k8s.io, what pods and nodes use now, from what the kubelet counts. It stands behind the API server, as metrics-server does in
// other clusters, and like it answers only who is sent by the API server and may read metrics there.
package metrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which cluster is told of, and where.
type Options struct {
	Kubeconfig string
	Listen     string // address and port
	Node       string // name of the node that is told of
	CertFile   string // what the server identifies itself with
	KeyFile    string
	CAFile     string // of the API server's certificate
	Proxy      string // name in that certificate
}

// Server answers the API server.
type Server struct {
	client kubernetes.Interface
	node   string
	proxy  string
}

// Run serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", o.Kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client from kubeconfig %s: %w", o.Kubeconfig, err)
	}
	ca, err := os.ReadFile(o.CAFile)
	if err != nil {
		return fmt.Errorf("load the cluster's authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	server := &http.Server{
		Addr: o.Listen, Handler: (&Server{client, o.Node, o.Proxy}).routes(), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12},
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(o.CertFile, o.KeyFile); !errors.Is(err, http.ErrServerClosed) || ctx.Err() == nil {
		return fmt.Errorf("serve metrics on %s: %w", o.Listen, err)
	}
	return nil
}

const (
	group   = "metrics.k8s.io"
	version = group + "/v1beta1"
	base    = "/apis/" + version
)

// routes are those that clients ask for. What the API server asks for by itself, to find out that the API is there, needs no permission.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/"+group, discovery(groupOf()))
	mux.HandleFunc("GET "+base, discovery(resources()))
	mux.HandleFunc("GET "+base+"/nodes", s.serve("nodes", s.nodes))
	mux.HandleFunc("GET "+base+"/nodes/{name}", s.serve("nodes", s.nodes))
	mux.HandleFunc("GET "+base+"/pods", s.serve("pods", s.pods))
	mux.HandleFunc("GET "+base+"/namespaces/{namespace}/pods", s.serve("pods", s.pods))
	mux.HandleFunc("GET "+base+"/namespaces/{namespace}/pods/{name}", s.serve("pods", s.pods))
	return mux
}
