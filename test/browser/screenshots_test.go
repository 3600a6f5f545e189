package browser

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var screenshots = flag.String("screenshots", "", "write pictures of every page into this directory")

// TestScreenshots writes pictures of every page and state for people to look at, wide and narrow, light and dark. Without a directory it takes one, to see that it works.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	site, page := setup(t, calm())
	do(t, site.Fill(t.Context()))
	all := places(t, site)
	names := slices.Sorted(maps.Keys(all))
	looks := map[string]Look{
		"wide-light": {1440, 900, false}, "wide-dark": {1440, 900, true}, "narrow-light": {390, 844, false}, "narrow-dark": {390, 844, true},
	}
	dir := *screenshots
	if dir == "" {
		dir, names, looks = t.TempDir(), names[:1], map[string]Look{"narrow-dark": looks["narrow-dark"]}
	}
	do(t, os.MkdirAll(dir, 0o755))
	for _, name := range names {
		for look, l := range looks {
			do(t, page.Look(l))
			do(t, page.Go(site.URL+all[name]))
			if name == "preview-failed-logs" {
				do(t, page.Until("document.querySelectorAll('#log .line').length > 10"))
			}
			picture, err := page.Screenshot(l)
			do(t, err)
			if len(picture) < 2000 {
				t.Errorf("%s, %s: the picture has %d bytes", name, look, len(picture))
			}
			do(t, os.WriteFile(filepath.Join(dir, name+"-"+look+".png"), picture, 0o644))
		}
	}
}
