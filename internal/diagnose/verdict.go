package diagnose

import (
	"catalyst.dev/catalyst/internal/preview"
)

// State is how things stand.
type State string

// The three states of a verdict.
const (
	Fine     State = "fine"     // everything is ready
	Waiting  State = "waiting"  // it may still become ready
	Hopeless State = "hopeless" // it will not, or the time is over
)

// Verdict is what an observation amounts to.
type Verdict struct {
	State     State
	Waits     string             // one sentence: what is waited for; "" when nothing is
	Diagnosis *preview.Diagnosis // why; nil when fine, and while nothing points to a cause
	Wants     []LogRef           // logs that the verdict would rest on and that are not in the observation
	Seeks     []Sought           // what is missing, as of a while ago: nodes look again only now and then
	Suspects  bool               // something looks wrong: events are worth looking at
	Open      bool               // there is something of which nothing can be said yet
}

// Judge says how things stand with what was observed. The same observation, in whatever order, gives the same verdict.
func Judge(o Observed) Verdict {
	v := newView(o)
	if f := v.refused(); f != nil {
		return Verdict{State: Hopeless, Diagnosis: v.diagnosis([]finding{*f})}
	}
	causes := v.causes(v.findings())
	verdict := Verdict{State: Waiting, Wants: v.wants(), Seeks: v.sought, Suspects: v.suspects(), Open: v.open(causes)}
	switch {
	case len(causes) > 0 && causes[0].hopeless, o.Over && !v.fine(causes):
		verdict.State = Hopeless
	case v.fine(causes):
		if verdict.Waits = v.unsteady(); verdict.Waits == "" {
			verdict.State = Fine
		}
		return verdict
	default:
		verdict.Waits = v.waits(causes)
	}
	if len(causes) == 0 && verdict.State == Hopeless {
		causes = []finding{v.timeout()}
	}
	if len(causes) > 0 {
		verdict.Diagnosis = v.diagnosis(causes)
	}
	return verdict
}

// Explain gives the likeliest cause of what was observed, as if nothing could be waited for any more.
func Explain(o Observed) preview.Diagnosis {
	o.Over = true
	if d := Judge(o).Diagnosis; d != nil {
		return *d
	}
	v := newView(o)
	return *v.diagnosis([]finding{v.timeout()})
}
