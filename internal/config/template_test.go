package config_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
)

func pull(branch string) preview.PullRequest {
	return preview.PullRequest{
		Key: preview.Key{RepositoryID: 1, Number: 7}, Repository: "Acme/My_Web", Branch: branch, HeadSHA: strings.Repeat("0123456789", 4),
	}
}

func TestImageTag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ template, branch, want string }{
		{"{{.SHA}}", "x", "0123456789012345678901234567890123456789"},
		{"pr-{{.Number}}-{{.ShortSHA}}", "x", "pr-7-0123456"},
		{"{{.Branch}}", "feature/a,b=c {{ .Values }}", "feature-a-b-c-.Values"},
		{"{{.Branch}}", "--evil", "evil"},
	} {
		got, err := config.Repository{Name: "acme/web", Image: config.Image{Tag: c.template}}.ImageTag(pull(c.branch))
		if err != nil || got != c.want {
			t.Errorf("tag of %q for branch %q = %q, %v; want %q", c.template, c.branch, got, err, c.want)
		}
	}
}

func TestHostFor(t *testing.T) {
	t.Parallel()
	long := "feature/" + strings.Repeat("x", 200)
	for _, c := range []struct{ template, branch, want string }{
		{"{{.Name}}.p.example.com", "x", "pr-my-web-7.p.example.com"},
		{"{{.Owner}}-{{.Repo}}-{{.Number}}.p.example.com", "x", "acme-my-web-7.p.example.com"},
		{"{{.Branch}}-{{.Number}}.p.example.com", "Feature/A_b", "feature-a-b-7.p.example.com"},
		{"{{.Branch}}-{{.Number}}.p.example.com", long, "feature-" + strings.Repeat("x", 32) + "-7.p.example.com"},
	} {
		got, err := config.Repository{Name: "acme/web", Host: c.template}.HostFor(pull(c.branch), "pr-my-web-7")
		if err != nil || got != c.want {
			t.Errorf("host of %q for branch %q = %q, %v; want %q", c.template, c.branch, got, err, c.want)
		}
	}
}

// TestHostsProperty: whatever repositories and numbers come, every preview answers under a host of its own, which is one label below the domain and ends in
// the number: by the same rules as the namespaces, of which one never is another's. A template that is not the usual one gives a valid host with the whole
// number in it, or says that it cannot.
func TestHostsProperty(t *testing.T) {
	t.Parallel()
	const domain = ".preview.example.com"
	usual := config.Repository{Name: "acme/web", Host: "{{.Name}}" + domain}
	other := config.Repository{Name: "acme/web", Host: "{{.Owner}}-{{.Repo}}-{{.Branch}}-{{.Number}}" + domain}
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	names := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9._-]{1,100}`), rapid.StringMatching(`[aA][._-]{0,2}[bB]?`), rapid.StringMatching(`a{55,60}`), rapid.StringMatching(`[._-]{1,4}`))
	rapid.Check(t, func(rt *rapid.T) {
		taken := map[string]preview.Key{} // by name, as the store reserves them
		answers := map[string]preview.Key{}
		for id, name := range rapid.SliceOfN(names, 1, 12).Draw(rt, "repositories") {
			for _, number := range rapid.SliceOfNDistinct(rapid.IntRange(1, 10_000_000), 1, 5, rapid.ID).Draw(rt, "numbers") {
				pr := preview.PullRequest{Key: preview.Key{RepositoryID: int64(id + 1), Number: number}, Repository: "Ac.Me/" + name, Branch: rapid.StringN(0, 60, 250).Draw(rt, "branch")}
				free := slices.DeleteFunc(preview.Names("github.com", pr.Repository, pr.Key), func(n string) bool { return taken[n] != preview.Key{} })
				taken[free[0]] = pr.Key
				host, err := usual.HostFor(pr, free[0])
				if err != nil {
					rt.Fatal(err)
				}
				first, isBelow := strings.CutSuffix(host, domain)
				if !isBelow || !label.MatchString(first) || !strings.HasSuffix(first, fmt.Sprintf("-%d", number)) {
					rt.Fatalf("%s#%d answers under %q", pr.Repository, number, host)
				}
				if holder, twice := answers[host]; twice {
					rt.Fatalf("%q is the host of %v and %v", host, holder, pr.Key)
				}
				answers[host] = pr.Key
				if host, err := other.HostFor(pr, free[0]); err == nil {
					first, isBelow := strings.CutSuffix(host, domain)
					if !isBelow || !label.MatchString(first) || !strings.HasSuffix(first, fmt.Sprintf("-%d", number)) {
						rt.Fatalf("%s#%d of %q answers under %q", pr.Repository, number, pr.Branch, host)
					}
				}
			}
		}
	})
}

// TestTemplateFails: what a template makes of a real pull request may still be wrong, and is told in the comment.
func TestTemplateFails(t *testing.T) {
	t.Parallel()
	r := config.Repository{Name: "acme/web", Image: config.Image{Tag: "{{.Branch}}"}, Host: "{{.Branch}}.p.example.com"}
	_, tagErr := r.ImageTag(pull("日本"))
	_, hostErr := r.HostFor(pull("日本"), "pr-web-7")
	for key, err := range map[string]error{"image.tag": tagErr, "host": hostErr} {
		failure, ok := errors.AsType[*preview.Failure](err)
		if !ok || failure.Diagnosis.Code != preview.CodeConfig || !strings.Contains(failure.Diagnosis.Cause, key) {
			t.Errorf("%s: %v is not a CONFIG failure that names the key", key, err)
		}
	}
}
