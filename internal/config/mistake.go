package config

import (
	"fmt"
	"regexp"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// Mistake is one thing that is wrong with the configuration.
type Mistake struct {
	Key      string // "limits.deployments", "repositories[0].name"
	Value    string // as given; never a secret's
	Problem  string // what is wrong with it and what was expected
	Position string // "catalyst.yaml:12" or "CATALYST_LIMITS_DEPLOYMENTS"; empty when nothing was given
}

// Error gives the mistake in one line.
func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.Key)
	if m.Position != "" {
		fmt.Fprintf(&b, " (%s)", m.Position)
	}
	if m.Value != "" {
		fmt.Fprintf(&b, " is %s", m.Value)
	}
	fmt.Fprintf(&b, ": %s", m.Problem)
	return b.String()
}

// Mistakes are all mistakes of a configuration, in the order of the keys. The kind is preview.ErrInvalid.
type Mistakes []Mistake

// Error gives one line for each mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the kind, preview.ErrInvalid.
func (ms Mistakes) Unwrap() error { return preview.ErrInvalid }

var urlPassword = regexp.MustCompile(`://[^/\s]*@`)

// shown is how a wrong value is repeated to people: quoted, short, and without the password of a URL.
func shown(value any) string {
	text := urlPassword.ReplaceAllString(fmt.Sprint(value), "://"+hidden+"@")
	if r := []rune(text); len(r) > 100 {
		text = string(r[:100]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// didYouMean returns "; did you mean X?" for the known name nearest to the given one, or nothing when none is near.
func didYouMean(given string, known []string) string {
	best, bestDistance := "", max(2, len(given)/3)+1
	for _, k := range known {
		if d := distance(given, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the Levenshtein distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
