package preview_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/preview"
)

var dns1123 = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func TestNamesOfTheSeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		repository string
		number     int
		want       string
	}{
		{"acme/web", 7, "pr-web-7"},
		{"web", 7, "pr-web-7"},
		{"acme/My.Cool__App", 42, "pr-my-cool-app-42"},
		{"acme/-x-", 1, "pr-x-1"},
		{"acme/Ünïcode", 3, "pr-n-code-3"},
		{"acme/" + strings.Repeat("a", 57), 12, "pr-" + strings.Repeat("a", 57) + "-12"},
	} {
		got := preview.Names("github.com", c.repository, preview.Key{RepositoryID: 1, Number: c.number})[0]
		if got != c.want {
			t.Errorf("Names(%q, %d)[0] = %q, want %q", c.repository, c.number, got, c.want)
		}
	}
}

// reservation is the store's rule in small: a name belongs to its first taker for ever.
type reservation map[string]preview.Key

func (r reservation) take(names []string, k preview.Key) (string, bool) {
	for _, n := range names {
		if holder, taken := r[n]; !taken || holder == k {
			r[n] = k
			return n, true
		}
	}
	return "", false
}

// TestNamesProperty: whatever owners, repositories and numbers come, every preview gets a name of its own that is a valid
// label and ends in its number. Names are drawn from few letters so that collisions of the written form are common.
func TestNamesProperty(t *testing.T) {
	t.Parallel()
	repoName := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9._-]{1,100}`),
		rapid.StringMatching(`[aA][._-]{0,2}[bB]?`),
		rapid.StringMatching(`a{55,60}`),
		rapid.StringMatching(`[._-]{1,4}`),
	)
	rapid.Check(t, func(rt *rapid.T) {
		held := reservation{}
		byKey := map[preview.Key]string{}
		repos := rapid.SliceOfN(repoName, 1, 12).Draw(rt, "repositories")
		for id, repo := range repos {
			for _, n := range rapid.SliceOfN(rapid.IntRange(1, 10_000_000), 1, 6).Draw(rt, "numbers") {
				k := preview.Key{RepositoryID: int64(id + 1), Number: n}
				name, ok := held.take(preview.Names("github.com", "owner/"+repo, k), k)
				if !ok {
					rt.Fatalf("%s (%s) got no name", k, repo)
				}
				if !dns1123.MatchString(name) {
					rt.Fatalf("%q of %s is not a DNS-1123 label", name, repo)
				}
				if !strings.HasSuffix(name, fmt.Sprintf("-%d", n)) {
					rt.Fatalf("%q does not end in the number %d", name, n)
				}
				if prev, seen := byKey[k]; seen && prev != name {
					rt.Fatalf("%s got %q and then %q", k, prev, name)
				}
				byKey[k] = name
			}
		}
		owner := map[string]preview.Key{}
		for k, name := range byKey {
			if o, taken := owner[name]; taken && o != k {
				rt.Fatalf("%q belongs to %s and %s", name, o, k)
			}
			owner[name] = k
		}
	})
}

// TestCuttingTheNumberIsCaught shows why the design's sketch is wrong: cut at 63, three pull requests get one name.
func TestCuttingTheNumberIsCaught(t *testing.T) {
	t.Parallel()
	sketch := func(repo string, n int) string {
		s := fmt.Sprintf("pr-%s-%d", preview.Label(repo), n)
		return strings.TrimRight(s[:min(len(s), 63)], "-")
	}
	repo := "acme/" + strings.Repeat("a", 60)
	if sketch(repo, 12) != sketch(repo, 123) {
		t.Fatal("the sketch no longer collides: this test proves nothing")
	}
	a := preview.Names("github.com", repo, preview.Key{RepositoryID: 1, Number: 12})[0]
	b := preview.Names("github.com", repo, preview.Key{RepositoryID: 1, Number: 123})[0]
	if a == b {
		t.Fatalf("#12 and #123 share the name %q", a)
	}
}

func TestValidSHA(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0a", 20)
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), strings.Repeat("g", 40), "../../../../../../../../../../../../../aa"} {
		if preview.ValidSHA(bad) {
			t.Errorf("ValidSHA(%q) = true", bad)
		}
	}
	if !preview.ValidSHA(good) {
		t.Errorf("ValidSHA(%q) = false", good)
	}
}
