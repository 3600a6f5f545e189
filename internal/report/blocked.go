package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// blocked is a preview that waits for an approval: whose code it is, that it was not run, what still answers, and how the commit can
// be allowed.
func blocked(v View) state {
	p := v.Preview
	s := state{icon: "🔒", title: "Preview needs a maintainer's approval", word: "blocked"}
	ran := "nothing has been run"
	switch {
	case p.Diagnosis != nil:
		s.title = "No preview for this pull request"
	case p.LiveSHA != "" && p.URL != "":
		ran = "it has not been run; what was allowed before goes on"
	case p.NamespaceUID != "":
		ran = "it has not been run; what an earlier commit left is still there"
	}
	s.facts = []string{fmt.Sprintf("%s comes from %s", head(v), origin(p)), ran}
	s.body = append(live(v, "Live now"), approval(p)...)
	return s
}

// origin says in words whose code a pull request brings.
func origin(p preview.Preview) string {
	switch {
	case p.Trust() == preview.TrustBot:
		return fmt.Sprintf("a bot (%s)", code(p.Author))
	case p.HeadRepository == "":
		return "a fork that is gone"
	}
	return fmt.Sprintf("a fork (%s)", code(p.HeadRepository))
}

// approval tells how the commit can be allowed. The whole SHA is given, ready to copy: a part of one can be forged.
func approval(p preview.Preview) []string {
	if p.Diagnosis != nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("<details><summary>What approval does</summary>\n\n")
	if p.Trust() == preview.TrustFork {
		fmt.Fprintf(&b, "Runs the chart from the base branch %s with this commit's image tag. ", code(p.BaseBranch))
	} else {
		b.WriteString("Runs the chart at this commit. ")
	}
	b.WriteString("No secrets are copied for it unless the operator has said so.\nA new push asks again, and so does another base branch.\n\n</details>")
	return []string{
		"Somebody who may write to this repository can allow **this commit only**, with the comment",
		fence("/preview approve " + p.HeadSHA),
		b.String(),
	}
}
