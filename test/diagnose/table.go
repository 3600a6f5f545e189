package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// summary is the last line of the table.
type summary struct {
	Cases  int     `json:"cases"`
	Right  int     `json:"right"`
	Unsure int     `json:"unsure"`
	Wrong  int     `json:"wrong"`
	P95    float64 `json:"p95_seconds"`
}

// row writes one line of the table.
func row(w io.Writer, r result) {
	said := wellBehaved
	switch {
	case r.err != nil:
		said = "error"
	case r.said != nil:
		said = r.said.Code
		if r.unsure {
			said = "? " + said
		}
		for _, a := range r.said.Alternatives {
			if a.Too {
				said += " + " + a.Code
			}
		}
	}
	want := r.want
	if r.also != "" {
		want += " + " + r.also
	}
	seconds := "-"
	if r.known && r.want != wellBehaved {
		seconds = fmt.Sprintf("%.1f", r.seconds)
	}
	verdict := "right"
	if r.unsure {
		verdict = "unsure"
	}
	if r.why != "" {
		verdict = "WRONG: " + strings.Join(strings.Fields(r.why), " ")
	}
	fmt.Fprintf(w, "%-32s %-36s %-36s %7s %6.0f  %s\n", r.name, want, said, seconds, r.took.Seconds(), verdict)
}

func heading(w io.Writer) {
	fmt.Fprintf(w, "%-32s %-36s %-36s %7s %6s\n", "chart", "expected", "said", "seconds", "took")
}

// sum adds the results up.
func sum(results []result) summary {
	s := summary{Cases: len(results)}
	var seconds []float64
	for _, r := range results {
		switch {
		case r.why != "":
			s.Wrong++
		case r.unsure:
			s.Unsure++
		default:
			s.Right++
		}
		if r.known && r.want != wellBehaved {
			seconds = append(seconds, r.seconds)
		}
	}
	if len(seconds) > 0 {
		slices.Sort(seconds)
		s.P95 = float64(int(seconds[(len(seconds)*95+99)/100-1]*10)) / 10
	}
	return s
}

func (s summary) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
