package report_test

import (
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// TestPages: where there are web pages the comment leads to them, and no name of a repository can end the link.
func TestPages(t *testing.T) {
	t.Parallel()
	v := report.View{Preview: preview.Preview{PullRequest: preview.PullRequest{Key: preview.Key{RepositoryID: 1, Number: 7}, Repository: "acme/w)eb](x"}, Status: preview.StatusRunning}}
	if text := report.Comment(v); strings.Contains(text, "[details]") {
		t.Errorf("links to no pages:\n%s", text)
	}
	v.Pages = "https://catalyst.example.com"
	const want = "| More | [details](https://catalyst.example.com/p/acme/w%29eb%5D%28x/7) · [logs](https://catalyst.example.com/p/acme/w%29eb%5D%28x/7/logs) |"
	if text := report.Comment(v); !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}
