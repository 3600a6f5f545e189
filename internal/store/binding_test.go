package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestBindings: the first repository keeps the name, whatever the name leads to later, until the operator says otherwise (W6).
func TestBindings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		for _, c := range []struct{ id, want int64 }{{1, 1}, {1, 1}, {2, 1}} {
			if got, err := s.Bind(t.Context(), "Acme/Web", c.id); err != nil || got != c.want {
				t.Errorf("bind to %d: %d, %v, want %d", c.id, got, err, c.want)
			}
		}
		if got, err := s.Bind(t.Context(), "acme/site", 1); err != nil || got != 1 {
			t.Errorf("another name of it: %d, %v", got, err)
		}
		if err := s.Rebind(t.Context(), "ACME/web", 2); err != nil {
			t.Error(err)
		}
		for _, c := range []struct {
			name string
			id   int64
			want []preview.Binding
		}{
			{"acme/WEB", 9, []preview.Binding{{Name: "acme/web", RepositoryID: 2}}},
			{"acme/other", 1, []preview.Binding{{Name: "acme/site", RepositoryID: 1}}},
			{"acme/web", 1, []preview.Binding{{Name: "acme/site", RepositoryID: 1}, {Name: "acme/web", RepositoryID: 2}}},
			{"acme/other", 9, []preview.Binding{}},
		} {
			got, err := s.Bindings(t.Context(), c.name, c.id)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("of %s and %d: %v\n%s", c.name, c.id, err, diff)
			}
		}
	})
}
