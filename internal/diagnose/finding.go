package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// certain is the confidence of what the cluster says in so many words; sure of what follows from it.
const (
	certain = 0.97
	sure    = 0.85
)

// finding is what a rule sees in one object.
type finding struct {
	code     string
	object   Ref
	at       time.Time // when the cluster showed it first, if that is known
	tried    time.Time // of what tries again by itself: when it last failed
	hopeless bool      // it will not heal by itself
	soft     bool      // it may be a consequence of trouble elsewhere

	confidence float64
	cause      string // a sentence that may begin in lower case
	because    string // a clause: what speaks for it
	fix        string
	blame      preview.Blame // "" means the code's own
	evidence   []string      // what the cluster says
	log        []string      // what the container says
	line       string        // the line of the log that tells the cause
	waits      string        // a clause: what the object waits for while this may heal
	hosts      []string      // names of objects that the log says do not answer
}

// rank orders findings: what will not heal first, then the surest, then the earliest.
func rank(a, b finding) int {
	if a.hopeless != b.hopeless {
		if a.hopeless {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(b.confidence, a.confidence), cmp.Compare(order(a.at), order(b.at)),
		compareRefs(a.object, b.object), strings.Compare(a.code, b.code), strings.Compare(a.cause, b.cause),
	)
}

// order is a time as a number; what has none comes last.
func order(t time.Time) int64 {
	if t.IsZero() {
		return 1<<63 - 1
	}
	return t.Unix()
}

// distinct drops the findings that say the same of another pod of the same object, and keeps the first of each kind.
func distinct(all []finding) []finding {
	slices.SortStableFunc(all, rank)
	type key struct {
		code   string
		object Ref
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(all, func(f finding) bool {
		k := key{f.code, f.object}
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
}

// maxAlternatives is how many further causes a diagnosis names.
const maxAlternatives = 3

// alternatives are the causes behind the first. A sure one is true too; the others are told only when the first is not sure itself.
func alternatives(causes []finding) []preview.Alternative {
	first := causes[0]
	var more []preview.Alternative
	for _, f := range causes[1:] {
		too := f.confidence >= preview.Unsure && (f.hopeless || f.confidence >= certain)
		if len(more) == maxAlternatives || !too && (first.confidence >= preview.Unsure || f.object != first.object) {
			continue
		}
		a := preview.Alternative{Code: f.code, Cause: limit(upperFirst(f.cause), maxSentence), Fix: limit(f.fix, maxSentence), Blame: f.blame, Too: too}
		if a.Blame == "" {
			a.Blame = blameOf(f.code)
		}
		more = append(more, a)
	}
	return more
}
