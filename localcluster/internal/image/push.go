package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Push stores the image in the registry at host (address and port, plain HTTP) as name:tag and gives the reference for manifests.
func (i *Image) Push(ctx context.Context, host, nameTag string) (reference string, err error) {
	name, tag, ok := strings.Cut(nameTag, ":")
	if !ok || name == "" || tag == "" {
		return "", fmt.Errorf("push image %q: name it NAME:TAG", nameTag)
	}
	r := registry{"http://" + host + "/v2/" + name}
	for _, blob := range [][]byte{i.Layer, i.Config} {
		if err := r.blob(ctx, blob); err != nil {
			return "", fmt.Errorf("push image %s to the registry %s: %w", nameTag, host, err)
		}
	}
	if _, err := r.do(ctx, http.MethodPut, r.base+"/manifests/"+tag, mediaType+"manifest.v1+json", i.Manifest, http.StatusCreated); err != nil {
		return "", fmt.Errorf("push image %s to the registry %s: %w", nameTag, host, err)
	}
	return host + "/" + nameTag, nil
}

// Exists tells whether the registry at host has name:tag.
func Exists(ctx context.Context, host, nameTag string) bool {
	name, tag, _ := strings.Cut(nameTag, ":")
	r := registry{"http://" + host + "/v2/" + name}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, r.base+"/manifests/"+tag, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", mediaType+"manifest.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

type registry struct{ base string }

// blob uploads b unless the registry has it.
func (r registry) blob(ctx context.Context, b []byte) error {
	digest := Digest(b)
	if _, err := r.do(ctx, http.MethodHead, r.base+"/blobs/"+digest, "", nil, http.StatusOK); err == nil {
		return nil
	}
	h, err := r.do(ctx, http.MethodPost, r.base+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	base, err := url.Parse(r.base)
	if err != nil {
		return err
	}
	to, err := base.Parse(h.Get("Location"))
	if err != nil {
		return err
	}
	q := to.Query()
	q.Set("digest", digest)
	to.RawQuery = q.Encode()
	_, err = r.do(ctx, http.MethodPut, to.String(), "application/octet-stream", b, http.StatusCreated)
	return err
}

func (r registry) do(ctx context.Context, method, to, kind string, body []byte, want int) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != want {
		return nil, fmt.Errorf("%s %s: %s %s", method, to, res.Status, text)
	}
	return res.Header, nil
}
