// Command demo shows the main job on real parts: a local Kubernetes cluster, a fake GitHub with a sample repository, and Catalyst. It opens a
// pull request, fetches the preview, pushes, fetches again, and stays up for a person to look. With -once it
// closes the pull request, proves that nothing is left, stops the cluster if it started it, and exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	var o options
	flag.BoolVar(&o.once, "once", false, "close the pull request, prove that nothing is left, and exit")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "use the cluster of this kubeconfig instead of starting one; needs -registry")
	flag.StringVar(&o.registry, "registry", "", "with -kubeconfig: the registry that the cluster pulls from, HOST:PORT, and this machine can push to")
	flag.IntVar(&o.routerPort, "ingress-port", 80, "with -kubeconfig: the port of this machine's loopback that leads to the ingress controller")
	flag.StringVar(&o.ingressClass, "ingress-class", "", "with -kubeconfig: the ingress class of previews (default: the cluster's)")
	flag.StringVar(&o.name, "name", "demo", "name of the local cluster")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := prerequisites()
	if err == nil {
		err = run(ctx, o)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	once         bool
	name         string
	kubeconfig   string
	registry     string
	routerPort   int
	ingressClass string
}

// prerequisites names what is missing with the command that installs it. What the local cluster needs, it installs itself.
func prerequisites() error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the Go toolchain is missing: install Go 1.26 from https://go.dev/dl and put it on PATH")
	}
	return nil
}
