package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestSearch: the filters hold together, wildcards are letters, and pages follow each other without a gap or a repetition.
func TestSearch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		ctx := t.Context()
		for n := 1; n <= 5; n++ {
			create(t, s, 1, n)
		}
		p := create(t, s, 1, 6)
		if _, err := change(t, s, p.Key, nil, func(p *preview.Preview) { p.Status, p.Host, p.Title = preview.StatusDeleted, "six.test", "100%_done!" }); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]struct {
			filter store.Filter
			want   int
		}{
			"all":        {store.Filter{}, 6},
			"current":    {store.Filter{Status: "current"}, 5},
			"status":     {store.Filter{Status: "deleted"}, 1},
			"repository": {store.Filter{Repository: "ACME/Web", Author: "OctoCat"}, 6},
			"other":      {store.Filter{Repository: "acme/other"}, 0},
			"text":       {store.Filter{Text: "GIFT"}, 6}, // in the title, or the branch
			"wildcards":  {store.Filter{Text: "%_done!"}, 1},
			"wildcard":   {store.Filter{Text: "d_ne"}, 0},
		} {
			f.filter.Limit = 50
			got, err := s.Search(ctx, f.filter)
			if err != nil || len(got) != f.want {
				t.Errorf("%s: %d, %v; want %d", name, len(got), err, f.want)
			}
		}
		var seen []int
		f := store.Filter{Limit: 2}
		for {
			page, err := s.Search(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				seen = append(seen, p.Number)
			}
			f.Before, f.BeforeID = page[len(page)-1].ChangedAt, page[len(page)-1].ID
		}
		all, err := s.Previews(ctx, 50)
		if err != nil {
			t.Fatal(err)
		}
		var want []int
		for _, p := range all {
			want = append(want, p.Number)
		}
		if d := cmp.Diff(want, seen); d != "" {
			t.Errorf("pages (-want +got):\n%s", d)
		}

		if got, err := s.Named(ctx, "Acme/WEB", 3); err != nil || got.Number != 3 {
			t.Errorf("by name: %+v, %v", got, err)
		}
		if _, err := s.AtHost(ctx, "six.test"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("the host of a deleted preview: %v", err)
		}
		if _, err := s.AtSHA(ctx, "%%%%%%%"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("a commit of wildcards: %v", err)
		}
	})
}
