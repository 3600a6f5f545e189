// Package rig sets the real parts up for the demo, the end-to-end tests and the benchmark: the local cluster, the fake
// GitHub with the sample repository, the sample's images, and Catalyst itself as a process of its own.
package rig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Root returns the top folder of the checkout, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(b, []byte("module catalyst.dev/catalyst\n")) {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not inside a checkout of Catalyst")
		}
		dir = up
	}
}

// Cluster is a running Kubernetes cluster with what previews need: a registry, and a router for their hosts.
type Cluster struct {
	Name          string `json:"name"`
	State         string `json:"state"`
	Kubeconfig    string `json:"kubeconfig"`
	Registry      string `json:"registry"`
	RouterPort    int    `json:"router_port"`
	PreviewDomain string `json:"preview_domain"`
	KubeBinary    string `json:"kubectl"`
	Started       bool   `json:"-"` // by StartCluster: it did not run before

	tool string // the localcluster command
}

// StartCluster starts the local cluster of this name, with flags of its start command, or finds it running. What it says while it works
// goes to progress.
func StartCluster(ctx context.Context, name string, progress io.Writer, flags ...string) (*Cluster, error) {
	c := &Cluster{}
	var err error
	if c.tool, err = build(ctx, "localcluster", "localcluster", "."); err != nil {
		return nil, err
	}
	if err := c.status(ctx, name); err != nil {
		return nil, err
	}
	c.Started = c.State != "running"
	start := exec.CommandContext(ctx, c.tool, append([]string{"start", "--name", name}, flags...)...)
	start.Stdout, start.Stderr = progress, progress
	if err := start.Run(); err != nil {
		return nil, fmt.Errorf("start the local cluster %s: %w", name, err)
	}
	return c, c.status(ctx, name)
}

func (c *Cluster) status(ctx context.Context, name string) error {
	out, err := run(ctx, c.tool, "status", "--name", name, "-o", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), c); err != nil {
		return fmt.Errorf("read the status of cluster %s: %w", name, err)
	}
	return nil
}

// RestartAPIServer crashes the API server of the local cluster of that name, and returns when it is ready again.
func RestartAPIServer(ctx context.Context, name string) error {
	tool, err := build(ctx, "localcluster", "localcluster", ".")
	if err != nil {
		return err
	}
	_, err = run(ctx, tool, "restart", "--name", name)
	return err
}

// Stop ends the cluster and keeps its state.
func (c *Cluster) Stop(ctx context.Context) error {
	_, err := run(ctx, c.tool, "stop", "--name", c.Name)
	return err
}

// PushImage packs a static binary into an image, pushes it to the cluster's registry and returns its reference.
func (c *Cluster) PushImage(ctx context.Context, nameTag, binary string) (string, error) {
	out, err := run(ctx, c.tool, "image", "--name", c.Name, nameTag, binary)
	return strings.TrimSpace(out), err
}

// Kubectl runs kubectl on the cluster and returns what it printed.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlIn(ctx, "", args...)
}

// KubectlIn is Kubectl with a standard input.
func (c *Cluster) KubectlIn(ctx context.Context, stdin string, args ...string) (string, error) {
	name, full := "kubectl", args
	if c.KubeBinary != "" {
		name, full = c.KubeBinary, append([]string{"kubectl"}, args...)
	}
	cmd := exec.CommandContext(ctx, name, full...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	return output(cmd)
}

// Build compiles a command of this checkout's own module and returns its path.
func Build(ctx context.Context, name, pkg string) (string, error) {
	return build(ctx, name, ".", pkg, "-ldflags=-s -w")
}

// build compiles a command of this checkout into the user's cache, in a folder of the checkout's own, and returns its path. dir is the
// module's folder below the checkout's top, pkg the package in it.
func build(ctx context.Context, name, dir, pkg string, flags ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	own := sha256.Sum256([]byte(root))
	path := filepath.Join(cache, "catalyst", "bin", hex.EncodeToString(own[:6]), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-trimpath", "-o", path}, flags...), pkg)...)
	cmd.Dir = filepath.Join(root, dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if _, err := output(cmd); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return path, nil
}

// BuildCatalyst compiles the server as it is released, stripped, and returns its path.
func BuildCatalyst(ctx context.Context) (string, error) {
	return build(ctx, "catalyst", ".", "./cmd/catalyst", "-ldflags=-s -w")
}

func run(ctx context.Context, name string, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, name, args...))
}

// output returns what the command printed to standard output; the error tells what it printed to standard error.
func output(cmd *exec.Cmd) (string, error) {
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), strings.Join(cmd.Args[1:], " "), err, strings.TrimSpace(talk.String()))
	}
	return out.String(), nil
}
