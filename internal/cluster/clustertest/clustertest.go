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
func Image(t testing.TB) string { return imageOf(t, "app", "catalyst.dev/catalyst/test/app") }

// Product does the same with Catalyst itself.
func Product(t testing.TB) string {
	return imageOf(t, "catalyst", "catalyst.dev/catalyst/cmd/catalyst")
}

func imageOf(t testing.TB, name, program string) string {
	t.Helper()
	reference, err := pushOnce(Registry(t), name, program)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

var (
	pushed     sync.Mutex
	references = map[string]string{} // by program
)

func pushOnce(registry, image, program string) (string, error) {
	pushed.Lock()
	defer pushed.Unlock()
	if reference := references[program]; reference != "" {
		return reference, nil
	}
	dir, err := os.MkdirTemp("", "catalyst-test-image-")
	if err != nil {
		return "", fmt.Errorf("build %s: %w", program, err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "app")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	built, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", program, err)
	}
	packed, err := pack(built)
	if err != nil {
		return "", fmt.Errorf("pack %s: %w", program, err)
	}
	sum := sha256.Sum256(built)
	ref, err := name.NewTag(registry+"/"+image+":"+hex.EncodeToString(sum[:7]), name.Insecure)
	if err != nil {
		return "", fmt.Errorf("name %s: %w", program, err)
	}
	if err := remote.Write(ref, packed); err != nil {
		return "", fmt.Errorf("push %s: %w", program, err)
	}
	references[program] = ref.String()
	return references[program], nil
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
