// Command gen makes the committed files of package ghspec from three npm packages of GitHub's own descriptions:
// the REST description trimmed to the operations of rest, the webhook schemas of webhooks, and recorded payloads.
//
// Run it with `go generate ./test/ghspec`; it needs npm to fetch the packages once.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
)

// The pinned packages; all three are published by Octokit under the MIT licence.
const (
	restPackage     = "@octokit/openapi@23.0.2"
	webhooksPackage = "@octokit/openapi-webhooks@12.1.0"
	examplesPackage = "@octokit/webhooks-examples@7.6.1"
)

func main() {
	out := flag.String("out", ".", "directory of package ghspec")
	cache := flag.String("cache", "", "directory that keeps the unpacked packages (default: the user's cache directory)")
	flag.Parse()
	if err := run(*out, *cache); err != nil {
		slog.Error("generate GitHub's description", "error", err)
		os.Exit(1)
	}
}

func run(out, cache string) error {
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find a cache directory, name one with -cache: %w", err)
		}
		cache = filepath.Join(dir, "catalyst-ghspec")
	}
	var rest, hooks document
	var examples []example
	for _, source := range []struct {
		pkg, file string
		into      any
	}{
		{restPackage, "generated/api.github.com.json", &rest},
		{webhooksPackage, "generated/api.github.com.json", &hooks},
		{examplesPackage, "api.github.com/index.json", &examples},
	} {
		dir, err := fetch(cache, source.pkg)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, source.file))
		if err != nil {
			return fmt.Errorf("read %s: %w", source.pkg, err)
		}
		if err := json.Unmarshal(data, source.into); err != nil {
			return fmt.Errorf("parse %s of %s: %w", source.file, source.pkg, err)
		}
	}
	trimmed, err := trimREST(rest)
	if err != nil {
		return err
	}
	if err := writeGzip(filepath.Join(out, "rest.json.gz"), trimmed); err != nil {
		return err
	}
	schemas, err := trimWebhooks(hooks)
	if err != nil {
		return err
	}
	if err := writeGzip(filepath.Join(out, "webhooks.json.gz"), schemas); err != nil {
		return err
	}
	return writePayloads(filepath.Join(out, "payloads"), examples)
}

// fetch returns the directory of the unpacked package, downloading it when the cache has none.
func fetch(cache, pkg string) (string, error) {
	dir := filepath.Join(cache, filepath.FromSlash(pkg))
	unpacked := filepath.Join(dir, "package")
	if _, err := os.Stat(unpacked); err == nil {
		return unpacked, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make %s: %w", dir, err)
	}
	for _, args := range [][]string{
		{"npm", "pack", "--silent", "--pack-destination", dir, pkg},
		{"sh", "-c", `tar xzf "$0"/*.tgz -C "$0" && rm "$0"/*.tgz`, dir},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("fetch %s with %s: %w", pkg, args[0], err)
		}
	}
	return unpacked, nil
}

func writeGzip(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compress %s: %w", path, err)
	}
	if _, err := zip.Write(data); err != nil {
		return fmt.Errorf("compress %s: %w", path, err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("compress %s: %w", path, err)
	}
	slog.Info("written", "file", path, "json", len(data), "gzip", buf.Len())
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
