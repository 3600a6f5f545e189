package main

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

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// images are the references of the application that misbehaves, as good and as bad images of it.
type images struct {
	registry  string
	good      string
	foreign   string // for another CPU, and says so
	mislabel  string // for another CPU, and says it were for this one
	noCommand string // names no program to run
}

// pushImages builds the application and pushes its images.
func pushImages(ctx context.Context, registry string) (images, error) {
	dir, err := os.MkdirTemp("", "catalyst-diagnose-")
	if err != nil {
		return images{}, err
	}
	defer os.RemoveAll(dir)
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	ours, err := compile(ctx, dir, runtime.GOARCH)
	if err != nil {
		return images{}, err
	}
	theirs, err := compile(ctx, dir, other)
	if err != nil {
		return images{}, err
	}
	sum := sha256.Sum256(ours)
	p := pusher{ctx: ctx, registry: registry, tag: hex.EncodeToString(sum[:7])}
	i := images{registry: registry}
	i.good = p.push("misbehave", ours, runtime.GOARCH, "/app")
	i.mislabel = p.push("mislabelled", theirs, runtime.GOARCH, "/app")
	i.noCommand = p.push("nocommand", ours, runtime.GOARCH, "")
	i.foreign = p.pushIndex("foreign", theirs, other)
	return i, p.err
}

func compile(ctx context.Context, dir, arch string) ([]byte, error) {
	file := filepath.Join(dir, "app-"+arch)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "catalyst.dev/catalyst/test/diagnose/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the application for %s: %w\n%s", arch, err, out)
	}
	return os.ReadFile(file)
}

// pusher pushes images until the first error.
type pusher struct {
	ctx           context.Context
	registry, tag string
	err           error
}

func (p *pusher) push(repository string, program []byte, arch, command string) string {
	image := p.pack(program, arch, command)
	return p.write(repository, func(ref name.Reference) error { return remote.Write(ref, image, remote.WithContext(p.ctx)) })
}

// pushIndex pushes an image as many are: an index with a platform for each of its images.
func (p *pusher) pushIndex(repository string, program []byte, arch string) string {
	image := p.pack(program, arch, "/app")
	return p.write(repository, func(ref name.Reference) error {
		index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		return remote.WriteIndex(ref, index, remote.WithContext(p.ctx))
	})
}

func (p *pusher) write(repository string, push func(name.Reference) error) string {
	if p.err != nil {
		return ""
	}
	var ref name.Tag
	if ref, p.err = name.NewTag(p.registry+"/"+repository+":"+p.tag, name.Insecure); p.err != nil {
		return ""
	}
	if p.err = push(ref); p.err != nil {
		return ""
	}
	return ref.String()
}

func (p *pusher) pack(program []byte, arch, command string) v1.Image {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err := errors.Join(
		w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}),
		w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}),
		w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))}),
	)
	if _, writeErr := w.Write(program); writeErr != nil {
		err = errors.Join(err, writeErr)
	}
	err = errors.Join(err, w.Close())
	content, layerErr := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err = errors.Join(p.err, err, layerErr); err != nil {
		p.err = err
		return empty.Image
	}
	image, err := mutate.AppendLayers(empty.Image, content)
	if err == nil {
		var config *v1.ConfigFile
		if config, err = image.ConfigFile(); err == nil {
			config = config.DeepCopy()
			config.OS, config.Architecture = "linux", arch
			if command != "" {
				config.Config.Entrypoint = []string{command}
			}
			image, err = mutate.ConfigFile(image, config)
		}
	}
	if err != nil {
		p.err = err
		return empty.Image
	}
	return image
}
