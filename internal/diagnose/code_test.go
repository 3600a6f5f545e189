package diagnose_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/diagnose"
)

// TestEveryCodeHasItsSection: comments link to the page, so each code is a heading there, in the same order, and nothing else is.
func TestEveryCodeHasItsSection(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/diagnosis.md")
	if err != nil {
		t.Fatal(err)
	}
	var headings, codes []string
	for _, m := range regexp.MustCompile(`(?m)^### ([A-Z_]+)$`).FindAllSubmatch(page, -1) {
		headings = append(headings, string(m[1]))
	}
	for _, c := range diagnose.Codes() {
		codes = append(codes, c.Name)
		if c.Title == "" || c.Blame == "" {
			t.Errorf("%+v", c)
		}
	}
	if diff := cmp.Diff(codes, headings); diff != "" {
		t.Errorf("headings of docs/diagnosis.md (-codes +page):\n%s", diff)
	}
}

// TestEveryCodeIsTold: there is no code that no rule and no other package gives.
func TestEveryCodeIsTold(t *testing.T) {
	t.Parallel()
	elsewhere := []string{
		"CHART_MISSING", "CHART_INVALID", "VALUES", "RENDER_LIMIT", "SANDBOX", "CONFIG", "NAMESPACE", "STUCK_DELETE", "FORKS_OFF",
		"SECRET_MISSING", "SECRET_TAKEN", "OUTAGE", diagnose.CodeNotReady, diagnose.CodeObjectGone,
	}
	for _, c := range diagnose.Codes() {
		told := slices.Contains(elsewhere, c.Name)
		for _, r := range rules {
			told = told || strings.TrimPrefix(r.want, someday) == c.Name
		}
		if !told {
			t.Errorf("no rule gives %s", c.Name)
		}
	}
}
