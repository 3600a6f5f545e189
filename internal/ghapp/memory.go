package ghapp

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-github/v92/github"
)

// memory keeps answers with their ETags: GitHub does not count a question whose answer is "not modified".
type memory struct {
	mu      sync.Mutex
	answers map[string]remembered
}

type remembered struct {
	etag  string
	value any
	used  time.Time
}

// maxRemembered bounds the memory; a list's page of 100 pull requests takes some 50 kB.
const maxRemembered = 400

func (m *memory) get(key string, now time.Time) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.answers[key]
	if ok {
		a.used = now
		m.answers[key] = a
	}
	return a, ok
}

// put keeps an answer, in the place of the one that was not asked for the longest time if need be.
func (m *memory) put(key string, a remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.answers[key]; !ok && len(m.answers) >= maxRemembered {
		oldest := ""
		for other, o := range m.answers {
			if oldest == "" || o.used.Before(m.answers[oldest].used) {
				oldest = other
			}
		}
		delete(m.answers, oldest)
	}
	m.answers[key] = a
}

// ask reads the path, and what keep made of the answer is remembered under the key. changed is false when GitHub says
// that it is as it was the last time.
func ask[Raw, T any](ctx context.Context, c *Client, key, path string, keep func(Raw, *github.Response) (T, error)) (value T, changed bool, err error) {
	req, err := c.gh.NewRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return value, false, err
	}
	old, known := c.memory.get(key, c.now())
	if known {
		req.Header.Set("If-None-Match", old.etag)
	}
	var raw Raw
	resp, err := c.gh.Do(req, &raw)
	if resp != nil && resp.StatusCode == http.StatusNotModified {
		value, ok := old.value.(T)
		if !ok {
			return value, false, fmt.Errorf("GitHub says that %s is not modified, but it is not remembered", key)
		}
		return value, false, nil
	}
	if err != nil {
		return value, false, kind(err)
	}
	if value, err = keep(raw, resp); err != nil {
		return value, false, err
	}
	if etag := resp.Header.Get("ETag"); etag != "" {
		c.memory.put(key, remembered{etag: etag, value: value, used: c.now()})
	}
	return value, true, nil
}
