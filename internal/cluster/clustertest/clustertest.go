// Package clustertest gives tests the real cluster they run against and an image to run in it. Production code must not import it.
package clustertest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"catalyst.dev/catalyst/test/install"
	"catalyst.dev/catalyst/test/rig"
)

// Kubeconfig returns the path of the test cluster's kubeconfig, from $CATALYST_TEST_KUBECONFIG. Without one the test is skipped, and
// fails where $CI is true: there a skipped test would pass for a good one.
func Kubeconfig(t testing.TB) string { return need(t, "CATALYST_TEST_KUBECONFIG") }

// Registry returns the address of the test cluster's registry, from $CATALYST_TEST_REGISTRY, on the terms of Kubeconfig.
func Registry(t testing.TB) string { return need(t, "CATALYST_TEST_REGISTRY") }

// Catalyst installs deploy/manifests for this instance, once in a process, and returns the path of a kubeconfig of the identity that they give
// Catalyst. Its previews answer below preview.localhost.
func Catalyst(t testing.TB, instance string) string {
	t.Helper()
	o := install.Options{Kubeconfig: Kubeconfig(t), Instance: instance, Domains: []string{"preview.localhost"}}
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	path, err := install.Kubeconfig(t.Context(), root, o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func need(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	switch {
	case value != "":
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not set: `make test` starts a cluster and sets it", variable)
	default:
		t.Skipf("%s is not set: `make test` starts a cluster and sets it", variable)
	}
	return value
}

// Image builds test/app, pushes it to the registry and returns its reference. It does so once in a process.
func Image(t testing.TB) string {
	t.Helper()
	registry := Registry(t)
	reference, err := pushOnce(registry)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

var (
	pushed    sync.Mutex
	reference string
)

func pushOnce(registry string) (string, error) {
	pushed.Lock()
	defer pushed.Unlock()
	if reference != "" {
		return reference, nil
	}
	dir, err := os.MkdirTemp("", "catalyst-test-app-")
	if err != nil {
		return "", fmt.Errorf("build the test application: %w", err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "app")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "catalyst.dev/catalyst/test/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the test application: %w\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("build the test application: %w", err)
	}
	image, err := pack(program)
	if err != nil {
		return "", fmt.Errorf("pack the test application: %w", err)
	}
	sum := sha256.Sum256(program)
	ref, err := name.NewTag(registry+"/app:"+hex.EncodeToString(sum[:7]), name.Insecure)
	if err != nil {
		return "", fmt.Errorf("name the test application: %w", err)
	}
	if err := remote.Write(ref, image); err != nil {
		return "", fmt.Errorf("push the test application: %w", err)
	}
	reference = ref.String()
	return reference, nil
}

func pack(program []byte) (v1.Image, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err := errors.Join(w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))}), second(w.Write(program)), w.Close())
	if err != nil {
		return nil, err
	}
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, content)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/app"}
	return mutate.ConfigFile(image, config)
}

func second(_ int, err error) error { return err }
