package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPack(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(binary, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	i, err := Pack(binary, "serve", "-v")
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(i.Layer))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.Mode
	}
	want := map[string]int64{"etc/": 0o755, "etc/passwd": 0o644, "etc/nsswitch.conf": 0o644, "tmp/": 0o1777, "app": 0o755}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}

	var config struct {
		Config struct{ Entrypoint []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(i.Config, &config); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/app", "serve", "-v"}, config.Config.Entrypoint); d != "" {
		t.Errorf("command line (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{Digest(layer)}, config.RootFS.DiffIDs); d != "" {
		t.Errorf("layers (-want +got):\n%s", d)
	}
	var manifest struct {
		Config struct {
			Digest string
			Size   int
		}
		Layers []struct{ Digest string }
	}
	if err := json.Unmarshal(i.Manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Config.Digest != Digest(i.Config) || manifest.Config.Size != len(i.Config) || manifest.Layers[0].Digest != Digest(i.Layer) {
		t.Errorf("the manifest names other parts than the image has: %s", i.Manifest)
	}

	again, err := Pack(binary, "serve", "-v")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(i, again); d != "" {
		t.Errorf("the same binary packed twice differs:\n%s", d)
	}
}
