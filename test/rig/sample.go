package rig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// Sample builds the sample application as the repository's CI would for the commit, and pushes the image to the cluster's registry.
func Sample(ctx context.Context, c *Cluster, sha string) error {
	// A name of its own: tests build several commits at the same time.
	binary, err := build(ctx, "hello-"+sha, ".", "./examples/hello", "-ldflags=-s -w -X main.commit="+sha)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(binary) }()
	_, err = c.PushImage(ctx, "hello:"+sha, binary)
	return err
}

// SampleDeployment is the file of the sample's only workload, below its folder.
const SampleDeployment = "chart/templates/deployment.yaml"

// WithoutProbe returns that file without the readiness probe, for what counts milliseconds. The kubelet asks once a second: whether the first question
// comes just before or just after the program listens would add a second by chance, which is more than all the rest.
func WithoutProbe() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(root, "examples", "hello", SampleDeployment))
	if err != nil {
		return "", err
	}
	var kept []string
	skip := false
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "          readinessProbe:") {
			skip = true
			continue
		}
		if skip = skip && strings.HasPrefix(line, "            "); !skip {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n"), nil
}
