package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"catalyst.dev/catalyst/internal/preview"
)

var (
	imageTag   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	notTag     = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	unknownKey = regexp.MustCompile(`map has no entry for key "(\w+)"`)
)

// maxBranch is how much of a branch's name goes into a host, so that a number fits beside it in one label.
const maxBranch = 40

// ImageTag returns the tag of the image for the pull request's head commit. In {{.Branch}}, what a tag cannot hold becomes "-".
// The error is a *preview.Failure.
func (r Repository) ImageTag(pr preview.PullRequest) (string, error) {
	tag, err := expand(r.Image.Tag, map[string]any{
		"SHA":      pr.HeadSHA,
		"ShortSHA": preview.ShortSHA(pr.HeadSHA),
		"Number":   pr.Number,
		"Branch":   strings.Trim(notTag.ReplaceAllString(pr.Branch, "-"), "-."),
	})
	if err == nil && !imageTag.MatchString(tag) {
		err = fmt.Errorf("%q is not a valid image tag", tag)
	}
	if err != nil {
		return "", r.failure("image.tag", r.Image.Tag, err)
	}
	return tag, nil
}

// HostFor returns the host under which the preview answers. name is the name that is reserved for the preview (its
// namespace). {{.Owner}}, {{.Repo}} and {{.Branch}} are written as a DNS label can hold them. The error is a *preview.Failure.
func (r Repository) HostFor(pr preview.PullRequest, name string) (string, error) {
	owner, _, _ := strings.Cut(pr.Repository, "/")
	branch := preview.Label(strings.ReplaceAll(pr.Branch, "/", "-"))
	host, err := expand(r.Host, map[string]any{
		"Name":   name,
		"Owner":  preview.Label(owner),
		"Repo":   preview.Label(pr.Repository),
		"Number": pr.Number,
		"Branch": strings.Trim(branch[:min(len(branch), maxBranch)], "-"),
	})
	if err == nil && !isDNS(host) {
		err = fmt.Errorf("%q is not a valid host name (labels of at most 63 lower-case letters, digits and -)", host)
	}
	if err != nil {
		return "", r.failure("host", r.Host, err)
	}
	return host, nil
}

func (r Repository) failure(key, text string, err error) error {
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeConfig,
		Cause: fmt.Sprintf("The template %q of %s for %s cannot be used: %s.", text, key, r.Name, reason(err)),
		Fix:   "Correct it in the server's configuration.",
		Blame: preview.BlameConfig,
	})
}

func expand(text string, fields map[string]any) (string, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, fields); err != nil {
		return "", err
	}
	return b.String(), nil
}

// reason is the part of a template's error that helps people.
func reason(err error) string {
	if failure, ok := errors.AsType[*preview.Failure](err); ok && failure.Err != nil {
		err = failure.Err
	}
	text := err.Error()
	if m := unknownKey.FindStringSubmatch(text); m != nil {
		return "{{." + m[1] + "}} is not known"
	}
	return strings.TrimPrefix(text, "template: :")
}

func sample(repository string, number int) preview.PullRequest {
	return preview.PullRequest{
		Key:        preview.Key{RepositoryID: 1, Number: number},
		Repository: repository,
		Branch:     "feature/sample",
		HeadSHA:    strings.Repeat("0a", 20),
	}
}

// hostTemplate tries a template out, and reports whether it can be used.
func (l *loader) hostTemplate(path string, r Repository) bool {
	expected := "expected a template of {{.Name}}, {{.Owner}}, {{.Repo}}, {{.Number}} and {{.Branch}} that gives a host name: "
	seventh, err := r.HostFor(sample(r.Name, 7), "pr-sample-7")
	if err != nil {
		l.wrong(path, shown(r.Host), expected+reason(err))
		return false
	}
	if eighth, _ := r.HostFor(sample(r.Name, 8), "pr-sample-8"); eighth == seventh {
		l.wrong(path, shown(r.Host), "gives every pull request the same host: use {{.Name}} or {{.Number}}")
		return false
	}
	return true
}
