//go:build killpoints

package killpoints

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"catalyst.dev/catalyst/test/rig"
)

// phases are what the author does, in order.
var phases = []string{"open", "push", "close"}

const head = `# The side effects of a pull request's life, in order: PHASE/LANE/NUMBER EFFECT. A phase is what the author does. A lane is who
# acts: a delivery (webhook), the one writer of the namespace (reconcile), the one writer of the comment (comment); what the
# writer of the namespace makes at the same time is a lane each. Each lane does one thing after the other; between lanes the order is chance and not listed. Commits are named by their statements in query.sql, with the
# status or kind of job that they write. Not listed: reads, leases that are prolonged, and what comes by the clock (sweep, health,
# the steps of a deployment that takes long).
# Written by: make killpoints UPDATE=1
`

func listFile() (string, error) {
	root, err := rig.Root()
	return filepath.Join(root, "test", "killpoints", "testdata", "points.txt"), err
}

// listed are the points that the list has.
func listed() ([]point, error) {
	file, err := listFile()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the list of points: %w", err)
	}
	var list []point
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		where, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		var p point
		if _, err := fmt.Sscanf(strings.ReplaceAll(where, "/", " "), "%s %s %d", &p.phase, &p.lane, &p.index); err != nil {
			return nil, fmt.Errorf("read the list of points: %q: %w", line, err)
		}
		p.what = what
		list = append(list, p)
	}
	return list, nil
}

// write makes the points the list.
func write(points []point) error {
	file, err := listFile()
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(head+strings.Join(lines(points), "\n")+"\n"), 0o644)
}

func lines(points []point) []string {
	var out []string
	for _, p := range points {
		out = append(out, p.String())
	}
	return out
}

// inOrder leaves out what is no part of a pull request's life, and sorts the rest as the list is.
func inOrder(trace []point) []point {
	life := slices.DeleteFunc(slices.Clone(trace), func(p point) bool { return p.phase == "" || slices.Contains(background, p.lane) })
	slices.SortFunc(life, func(a, b point) int {
		return cmp.Or(
			cmp.Compare(slices.Index(phases, a.phase), slices.Index(phases, b.phase)),
			-strings.Compare(a.lane, b.lane), // webhook, reconcile, comment: as it goes
			cmp.Compare(a.index, b.index))
	})
	return life
}

// sample takes every fourth of one point of each kind, for the short form: the kind is the lane and the verb.
func sample(points []point) []point {
	const every = 4
	seen := map[string]bool{}
	var out []point
	for _, p := range points {
		verb, _, _ := strings.Cut(p.what, " ")
		if kind := p.lane + strings.TrimSuffix(verb, ","); !seen[kind] {
			if len(seen)%every == 0 {
				out = append(out, p)
			}
			seen[kind] = true
		}
	}
	return out
}
