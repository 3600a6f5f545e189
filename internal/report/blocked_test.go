package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// fork is a preview that waits for an approval, of a pull request from another repository.
func fork(from string) preview.Preview {
	p := base(preview.StatusBlocked)
	p.HeadRepository, p.BaseBranch = from, "main"
	if from != "" {
		p.HeadRepositoryID = 2
	}
	return p
}

func byBot() preview.Preview {
	p := base(preview.StatusBlocked)
	p.HeadRepositoryID, p.HeadRepository = p.RepositoryID, p.Repository
	p.Author, p.Bot = "renovate[bot]", true
	return p
}

func forksOff() preview.Preview {
	p := fork("octo/shop")
	p.Diagnosis = &preview.Diagnosis{Code: preview.CodeForksOff, Cause: "Pull requests from forks get no previews in acme/web.", Fix: "Push it here.", Blame: preview.BlameConfig}
	return p
}

// TestForeignNames: what a stranger can name (the fork, the login, the branch) never leaves its code span.
func TestForeignNames(t *testing.T) {
	t.Parallel()
	comment := func(foreign string) string {
		p := fork("x" + foreign)
		p.BaseBranch = "x" + foreign
		bot := byBot()
		bot.Author = "x" + foreign + "[bot]"
		return report.Comment(report.View{Preview: p}) + "\n\n" + report.Comment(report.View{Preview: bot})
	}
	want := outline(comment("x"))
	rapid.Check(t, func(rt *rapid.T) {
		foreign := rapid.StringOf(rapid.SampledFrom([]rune("`~<>!-@#*_[](){}|\\\n\r\t \u202e&:/abc"))).Draw(rt, "foreign")
		if got := outline(comment(foreign)); got != want {
			rt.Fatalf("the comment reads otherwise (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// TestApprovalNamesTheWholeCommit: a short SHA can be forged, so the comment never suggests one.
func TestApprovalNamesTheWholeCommit(t *testing.T) {
	t.Parallel()
	p := fork("octo/shop")
	if body := report.Comment(report.View{Preview: p}); !strings.Contains(body, "/preview approve "+p.HeadSHA+"\n") {
		t.Errorf("the comment does not give the whole command:\n%s", body)
	}
}
