package cache

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A program is built from this module or one nested in it.
type program struct {
	name    string
	module  string // its directory in this module
	pkg     string
	sources []string // what it is made from, besides packages of other modules
	usually string   // how long a build takes when nothing is prepared, on two idle cores
}

var (
	kube = program{"kube", ".", "./kube", []string{"go.mod", "go.sum", "kube", "internal/metrics", "internal/netpol", "internal/router", "internal/watch"},
		"about 12 minutes and 600 MB of downloads"}
	pause   = program{"pause", ".", "./pause", []string{"pause"}, "a second"}
	coredns = program{"coredns", "coredns", ".", []string{"coredns"}, "about 2 minutes"}
	kwok    = program{"kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", []string{"kwok"}, "about 2 minutes"}
)

// Kube gives the binary that holds every Kubernetes component, etcd, kubectl, netpol, metrics and the router, building it if needed.
func (c *Cache) Kube(ctx context.Context) (string, error) { return c.program(ctx, kube) }

// Pause gives the binary that holds a pod's namespaces.
func (c *Cache) Pause(ctx context.Context) (string, error) { return c.program(ctx, pause) }

// CoreDNS gives the cluster's DNS server.
func (c *Cache) CoreDNS(ctx context.Context) (string, error) { return c.program(ctx, coredns) }

// Kwok gives the binary that simulates nodes and, beside it, the file of the stages their objects go through.
func (c *Cache) Kwok(ctx context.Context) (binary, stages string, err error) {
	binary, err = c.program(ctx, kwok)
	return binary, filepath.Join(filepath.Dir(binary), "stages.yaml"), err
}

func (c *Cache) program(ctx context.Context, p program) (string, error) {
	key, err := c.key(append([]string{"internal/cache/build.go"}, p.sources...)...) // how it is built counts too
	if err != nil {
		return "", err
	}
	dir, err := c.entry(p.name, key, func(tmp string) error {
		if err := c.build(ctx, p, filepath.Join(tmp, p.name)); err != nil {
			return err
		}
		if p.name == kwok.name {
			return c.stages(ctx, filepath.Join(tmp, "stages.yaml"))
		}
		return nil
	})
	return filepath.Join(dir, p.name), err
}

// build compiles p to out, telling every half minute that it is still at it.
func (c *Cache) build(ctx context.Context, p program, out string) error {
	started := time.Now()
	c.Log.Info("building "+p.name, "first time usually takes", p.usually)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.Log.Info("still building "+p.name, "elapsed", time.Since(started).Round(time.Second), "usually", p.usually)
			}
		}
	}()
	version, err := c.version(ctx, p)
	if err != nil {
		return err
	}
	if _, err := c.gotool(ctx, p.module, "build", "-p", "2", "-ldflags=-s -w"+version, "-o", out, p.pkg); err != nil {
		return fmt.Errorf("build %s: %w", p.name, err)
	}
	c.Log.Info("built "+p.name, "took", time.Since(started).Round(100*time.Millisecond))
	return nil
}

// version gives the linker flags that tell Kubernetes which one it is: charts ask, and refuse v0.0.0.
func (c *Cache) version(ctx context.Context, p program) (string, error) {
	if p.name != kube.name {
		return "", nil
	}
	v, err := c.gotool(ctx, p.module, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", fmt.Errorf("find the version of Kubernetes: %w", err)
	}
	v = strings.TrimSpace(v)
	major, rest, _ := strings.Cut(strings.TrimPrefix(v, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&flags, " -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, v, major, minor)
	}
	return flags.String(), nil
}

func (c *Cache) gotool(ctx context.Context, module string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(c.Source, module)
	// The same settings for everybody keep Go's own build cache shared.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath", "GOWORK=off", "PWD="+cmd.Dir)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], cmd.Dir, err, tail(complaint.String(), 20))
	}
	return out.String(), nil
}

// stages joins the descriptions of how simulated nodes and pods behave, which kwok carries in its module and not in its binary.
func (c *Cache) stages(ctx context.Context, out string) error {
	dir, err := c.gotool(ctx, kwok.module, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	if err != nil {
		return fmt.Errorf("find kwok's stages: %w", err)
	}
	var all bytes.Buffer
	for _, file := range []string{"node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease",
		"pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete"} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(dir), "kustomize", "stage", file+".yaml"))
		if err != nil {
			return fmt.Errorf("read kwok's stages: %w", err)
		}
		all.WriteString("---\n")
		all.Write(b)
		all.WriteString("\n")
	}
	return os.WriteFile(out, all.Bytes(), 0o644)
}

func tail(text string, lines int) string {
	l := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(l[max(0, len(l)-lines):], "\n")
}
