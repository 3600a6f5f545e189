package config_test

import (
	"errors"
	"strings"
	"testing"

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
