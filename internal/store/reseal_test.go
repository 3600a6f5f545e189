package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/seal"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

func keys(t *testing.T, lines ...string) *seal.Keys {
	t.Helper()
	k, err := seal.Parse(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// with opens the database with keys, does one thing and closes it: a SQLite file belongs to one process.
func with(t *testing.T, dsn string, k *seal.Keys, do func(s *store.Store)) {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.WithKeys(k))
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// arrive stores a delivery with the body.
func arrive(t *testing.T, s *store.Store, body string) {
	t.Helper()
	arriveAs(t, s, body, body)
}

func arriveAs(t *testing.T, s *store.Store, guid, body string) {
	t.Helper()
	e := preview.Event{Kind: preview.EventHint, Delivery: &preview.Delivery{GUID: guid, Event: "ping", BodySHA256: guid, Body: []byte(body)}}
	_, _, err := s.Apply(t.Context(), e, func(preview.State) (preview.Decision, error) {
		return preview.Decision{Outcome: preview.DeliveryIgnored, Reason: "a test"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// bodies are what is stored, as it can be read; the error when it cannot.
func bodies(t *testing.T, s *store.Store) (string, error) {
	t.Helper()
	list, err := s.Deliveries(t.Context(), 1000)
	var all []string
	for _, d := range list {
		all = append([]string{string(d.Body)}, all...)
	}
	return strings.Join(all, " "), err
}

// TestBodiesAreEncrypted: plain and encrypted rows stand beside each other, and rotation makes all of them the first key's.
func TestBodiesAreEncrypted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		older, newer := seal.Generate(), seal.Generate()
		with(t, dsn, nil, func(s *store.Store) { arrive(t, s, "plain-canary") })
		with(t, dsn, keys(t, older), func(s *store.Store) {
			arrive(t, s, "older-canary")
			if plain, err := s.CheckKeys(t.Context()); !plain || err != nil {
				t.Errorf("plain %v, %v", plain, err)
			}
		})
		with(t, dsn, keys(t, newer, older), func(s *store.Store) {
			arrive(t, s, "newer-canary")
			if got, err := bodies(t, s); got != "plain-canary older-canary newer-canary" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})

		// Without the older key: what it sealed cannot be read, and the error says which key that was.
		with(t, dsn, keys(t, newer), func(s *store.Store) {
			id, _, _ := strings.Cut(older, ":")
			for what, err := range map[string]error{"read": second(bodies(t, s)), "check": second(s.CheckKeys(t.Context())), "reseal": second(s.Reseal(t.Context()))} {
				if !errors.Is(err, preview.ErrInvalid) || !strings.Contains(fmt.Sprint(err), id) {
					t.Errorf("%s without key %s: %v", what, id, err)
				}
			}
		})
		with(t, dsn, nil, func(s *store.Store) {
			if _, err := bodies(t, s); !errors.Is(err, preview.ErrInvalid) {
				t.Errorf("without keys: %v", err)
			}
		})

		// The plain row was encrypted by the attempt above; the older one is left.
		with(t, dsn, keys(t, newer, older), func(s *store.Store) {
			if n, err := s.Reseal(t.Context()); n != 1 || err != nil {
				t.Errorf("%d encrypted anew, %v", n, err)
			}
			if n, err := s.Reseal(t.Context()); n != 0 || err != nil {
				t.Errorf("%d encrypted anew the second time, %v", n, err)
			}
		})
		with(t, dsn, keys(t, newer), func(s *store.Store) {
			if got, err := bodies(t, s); got != "plain-canary older-canary newer-canary" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if plain, err := s.CheckKeys(t.Context()); plain || err != nil {
				t.Errorf("plain %v, %v", plain, err)
			}
		})
	})
}

func second[T any](_ T, err error) error { return err }

// TestNothingPlainIsLeft: rotation goes through more rows than it reads at once, and leaves nothing of what was stored plainly in a SQLite file.
func TestNothingPlainIsLeft(t *testing.T) {
	t.Parallel()
	dsn := filepath.Join(t.TempDir(), "catalyst.db")
	const many = 250
	with(t, dsn, nil, func(s *store.Store) {
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range many {
			arriveAs(t, s, fmt.Sprint(i), fmt.Sprint("canary ", strings.Repeat("x", 10_000), i))
		}
	})
	with(t, dsn, keys(t, seal.Generate()), func(s *store.Store) {
		if n, err := s.Reseal(t.Context()); n != many || err != nil {
			t.Errorf("%d encrypted anew, %v", n, err)
		}
	})
	for _, name := range []string{dsn, dsn + "-wal"} {
		file, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if n := bytes.Count(file, []byte("canary")); n > 0 {
			t.Errorf("%s still holds %d of what was stored plainly", name, n)
		}
	}
}
