package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// notice is the answer to a command, above everything else. Who gave it and what was written is foreign text.
func notice(n *preview.Notice) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	if n.Refused {
		fmt.Fprintf(&b, "> <span aria-hidden=\"true\">😕</span> %s by %s was refused. %s\n", code(n.Order), code(n.By), n.Text)
	} else {
		fmt.Fprintf(&b, "> <span aria-hidden=\"true\">💬</span> %s by %s: %s\n", code(n.Order), code(n.By), n.Text)
	}
	if n.Detail != "" {
		b.WriteString("\n" + fence(n.Detail) + "\n")
	}
	return b.String() + "\n"
}
