// Package image packs one static binary into a container image and pushes it to a registry. It needs no container engine.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
)

const mediaType = "application/vnd.oci.image."

// Image is a packed image: what a registry stores of it.
type Image struct {
	Layer    []byte // compressed
	Config   []byte
	Manifest []byte
}

// Digest names b the way registries do.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Pack makes an image whose only program is the static binary; args follow it on the command line. The same input gives
// the same image, byte for byte. The image runs as root by default and works as any user: it holds nothing but the binary,
// /etc/passwd, /etc/nsswitch.conf and a /tmp everybody may write to.
func Pack(binary string, args ...string) (*Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("pack image: %w", err)
	}
	entry := "/" + path.Base(filepath.ToSlash(binary))
	layer, err := layerOf(entry[1:], program)
	if err != nil {
		return nil, fmt.Errorf("pack image of %s: %w", binary, err)
	}
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) // a valid level is no error
	if _, err := w.Write(layer); err != nil {
		return nil, fmt.Errorf("pack image of %s: %w", binary, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack image of %s: %w", binary, err)
	}
	i := &Image{Layer: zipped.Bytes()}
	i.Config, err = json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": append([]string{entry}, args...), "Env": []string{"PATH=/"}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{Digest(layer)}},
	})
	if err != nil {
		return nil, fmt.Errorf("pack image of %s: %w", binary, err)
	}
	i.Manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     mediaType + "manifest.v1+json",
		"config":        descriptor("config.v1+json", i.Config),
		"layers":        []any{descriptor("layer.v1.tar+gzip", i.Layer)},
	})
	if err != nil {
		return nil, fmt.Errorf("pack image of %s: %w", binary, err)
	}
	return i, nil
}

func descriptor(kind string, b []byte) map[string]any {
	return map[string]any{"mediaType": mediaType + kind, "digest": Digest(b), "size": len(b)}
}

func layerOf(name string, program []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range []struct {
		name string
		mode int64
		body []byte
	}{
		{"etc/", 0o755, nil},
		{"etc/passwd", 0o644, []byte("root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n")},
		{"etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n")},
		{"tmp/", 0o1777, nil},
		{name, 0o755, program},
	} {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.body)), Typeflag: tar.TypeReg}
		if f.body == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
