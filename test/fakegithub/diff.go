package fakegithub

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// change is one file that differs between two commits.
type change struct {
	name, status       string // "added", "modified" or "removed"
	sha, patch         string
	additions, removed int
}

// diff lists the files that differ, sorted by name. Renames are not detected, and each patch is one hunk.
func (n *network) diff(before, after map[string]entry) []change {
	names := map[string]entry{} // a first commit has nothing before it
	maps.Copy(names, before)
	maps.Copy(names, after)
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, now := before[name], after[name]
		if was == now {
			continue
		}
		c := change{name: name, status: "modified", sha: now.sha}
		if was == (entry{}) {
			c.status = "added"
		} else if now == (entry{}) {
			c.status, c.sha = "removed", was.sha
		}
		c.patch, c.additions, c.removed = hunk(n.blobs[was.sha], n.blobs[now.sha])
		changes = append(changes, c)
	}
	return changes
}

func hunk(before, after []byte) (patch string, additions, removed int) {
	if bytes.IndexByte(before, 0) >= 0 || bytes.IndexByte(after, 0) >= 0 || !utf8.Valid(before) || !utf8.Valid(after) {
		return "", 0, 0 // GitHub gives no patch for binary files
	}
	a, b := lines(before), lines(after)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	a, b = a[start:len(a)-end], b[start:len(b)-end]
	var text strings.Builder
	fmt.Fprintf(&text, "@@ -%d,%d +%d,%d @@", min(start+1, start+len(a)), len(a), min(start+1, start+len(b)), len(b))
	for _, line := range a {
		text.WriteString("\n-" + line)
	}
	for _, line := range b {
		text.WriteString("\n+" + line)
	}
	return text.String(), len(b), len(a)
}

func lines(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}
