package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// blocked is the line of a preview that waits for an approval: whose code it is, that it was not run, and what still answers.
func blocked(p preview.Preview) string {
	text := fmt.Sprintf("%s comes from %s.", code(preview.ShortSHA(p.HeadSHA)), origin(p))
	switch {
	case p.LiveSHA != "" && p.URL != "":
		return text + fmt.Sprintf(" It has not been run. Live now: %s still at %s, which was allowed before", p.URL, code(preview.ShortSHA(p.LiveSHA)))
	case p.NamespaceUID != "":
		return text + " It has not been run; what an earlier commit left is still there"
	}
	return text + " Nothing has been run"
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
func approval(p preview.Preview) string {
	if p.Status != preview.StatusBlocked || p.Diagnosis != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nSomebody who may write to this repository can allow **this commit only**, with the comment\n\n")
	b.WriteString(fence("/preview approve "+p.HeadSHA) + "\n")
	b.WriteString("\n<details><summary>What approval does</summary>\n\n")
	if p.Trust() == preview.TrustFork {
		fmt.Fprintf(&b, "Runs the chart from the base branch %s with this commit's image tag. ", code(p.BaseBranch))
	} else {
		b.WriteString("Runs the chart at this commit. ")
	}
	b.WriteString("No secrets are copied for it unless the operator has said so.\nA new push asks again, and so does another base branch.\n\n</details>\n")
	return b.String()
}
