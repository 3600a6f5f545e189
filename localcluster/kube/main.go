// Command kube is every component of the local cluster in one binary: kube kube-apiserver …, kube etcd …, kube kubectl …
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"catalyst.dev/catalyst/localcluster/internal/metrics"
	"catalyst.dev/catalyst/localcluster/internal/netpol"
	"catalyst.dev/catalyst/localcluster/internal/router"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube COMPONENT [ARG...]")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append([]string{name}, os.Args[2:]...) // components read their own name there
	var c *cobra.Command
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "kube-apiserver":
		c = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		c = manager.NewControllerManagerCommand()
	case "kube-scheduler":
		c = scheduler.NewSchedulerCommand()
	case "kubelet":
		c = kubelet.NewKubeletCommand(context.Background())
	case "kube-proxy":
		c = proxy.NewProxyCommand()
	case "kubectl":
		c = kubectl.NewDefaultKubectlCommand()
	case "netpol", "router", "metrics":
		if err := own(name, os.Args[1:]); err != nil {
			slog.Error(name, "error", err)
			os.Exit(1)
		}
		return
	default:
		fmt.Fprintf(os.Stderr, "kube: no component %q\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(c))
}

// own runs the components that are not Kubernetes'.
func own(name string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "the cluster's kubeconfig")
	switch name {
	case "netpol":
		ready := flags.String("ready-file", "", "file to make once policies are enforced")
		_ = flags.Parse(args) // a mistake ends the program there
		return netpol.Run(ctx, netpol.Options{Kubeconfig: *kubeconfig, ReadyFile: *ready})
	case "metrics":
		o := metrics.Options{}
		flags.StringVar(&o.Listen, "listen", "", "address and port")
		flags.StringVar(&o.Node, "node", "", "name of the node")
		flags.StringVar(&o.CertFile, "cert-file", "", "the server's certificate")
		flags.StringVar(&o.KeyFile, "key-file", "", "its key")
		flags.StringVar(&o.CAFile, "client-ca-file", "", "authority of the API server's certificate")
		flags.StringVar(&o.Proxy, "client-name", "", "name in that certificate")
		_ = flags.Parse(args)
		o.Kubeconfig = *kubeconfig
		return metrics.Run(ctx, o)
	}
	listener := flags.Uint("listener", 3, "descriptor of a listening socket")
	address := flags.String("address", "127.0.0.1", "address the status of Ingresses tells")
	_ = flags.Parse(args)
	return router.Run(ctx, router.Options{Kubeconfig: *kubeconfig, Listener: uintptr(*listener), Address: *address})
}
