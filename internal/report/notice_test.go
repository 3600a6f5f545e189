package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

func noticed(p preview.Preview, refused bool) preview.Preview {
	p.Notice = &preview.Notice{Order: "/preview diagnose", By: "octocat", Text: "Looked at right now. What is wrong:", Detail: "0 of 1 pods `available`", Until: at}
	if refused {
		p.Notice = &preview.Notice{Order: "/preview approve a1b2c3d", By: "octocat", Refused: true, Text: "It takes somebody who may write to this repository.", Until: at}
	}
	return p
}

func removed() preview.Preview {
	p := base(preview.StatusDeleted)
	p.RemovedBy = "dora"
	return p
}

func removing() preview.Preview {
	p := base(preview.StatusDeleting)
	p.RemovedBy = "dora"
	return p
}

// TestForeignCommand: what was written in a comment, by whom, and what the cluster said about it stays inside code, and the first
// line of the comment is never a command.
func TestForeignCommand(t *testing.T) {
	t.Parallel()
	comment := func(foreign string) string {
		p := removed()
		p.RemovedBy = "x" + foreign
		p.Notice = &preview.Notice{Order: "x" + foreign, By: "x" + foreign, Text: "No.", Refused: true, Detail: "x" + foreign}
		return report.Comment(report.View{Preview: p})
	}
	want := outline(comment("x"))
	rapid.Check(t, func(rt *rapid.T) {
		foreign := rapid.StringOf(rapid.SampledFrom([]rune("`~<>!-@#*_[](){}|\\\n\r\t \u202e&:/preview"))).Draw(rt, "foreign")
		body := comment(foreign)
		if got := outline(body); got != want {
			rt.Fatalf("the comment reads otherwise (-want +got):\n%s", cmp.Diff(want, got))
		}
		if _, isOrder := preview.ParseOrder(body); isOrder {
			rt.Fatalf("Catalyst gives itself a command: %s", body)
		}
	})
}

// TestNoticeIsFirst: the answer is what people see first.
func TestNoticeIsFirst(t *testing.T) {
	t.Parallel()
	if body := report.Comment(report.View{Preview: noticed(fork("octo/shop"), true)}); !strings.HasPrefix(body, "> ") || strings.Index(body, "was refused") > strings.Index(body, "\n") {
		t.Errorf("the refusal is not the top line:\n%s", body)
	}
}
