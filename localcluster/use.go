package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/image"
)

func runKubeconfig(_ context.Context, _ options, c *cluster.Cluster, stdout io.Writer) error {
	if !c.Known() {
		return notStarted(c)
	}
	_, err := fmt.Fprintln(stdout, c.Path("kubeconfig"))
	return err
}

func runImage(ctx context.Context, o options, c *cluster.Cluster, stdout io.Writer) error {
	if len(o.args) < 2 {
		return fmt.Errorf("image: name the image and the binary: %w", errUsage)
	}
	if !c.Known() || !c.Supervisor.Alive() {
		return notStarted(c)
	}
	nameTag, binary := o.args[0], o.args[1]
	if err := static(binary); err != nil {
		return err
	}
	packed, err := image.Pack(binary, o.args[2:]...)
	if err != nil {
		return err
	}
	reference, err := packed.Push(ctx, c.Addresses().Registry(), nameTag)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, reference)
	return err
}

// static refuses what could not start alone in an image.
func static(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s is no program for Linux: %w", binary, err)
	}
	defer f.Close()
	if f.Section(".interp") != nil {
		return fmt.Errorf("%s needs libraries that the image will not hold: build it with CGO_ENABLED=0", binary)
	}
	return nil
}

func runKubectl(ctx context.Context, o options, c *cluster.Cluster, stdout io.Writer) error {
	if !c.Known() || c.Binaries.Kube == "" {
		return notStarted(c)
	}
	cmd := exec.CommandContext(ctx, c.Binaries.Kube, append([]string{"kubectl"}, o.args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Path("kubeconfig"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(exit.ExitCode())
	}
	return err
}

func notStarted(c *cluster.Cluster) error {
	return fmt.Errorf("cluster %s does not run: start it first", c.Name)
}
