package policy

import (
	"slices"

	"catalyst.dev/catalyst/internal/preview"
)

// tale is what the channels beside the comment say of a preview. They are written again only when it changes.
type tale struct {
	head, live, url     string
	status              preview.Status
	wanted              bool
	generation, settled int64
	diagnosis           *preview.Diagnosis
}

func tells(p *preview.Preview) tale {
	if p == nil {
		return tale{}
	}
	return tale{p.HeadSHA, p.LiveSHA, p.URL, p.Status, p.Wanted(), p.Generation, p.Settled, p.Diagnosis}
}

// announced asks for the channels to be brought up to date when the decision changes what they tell. A passing state waits a while, so
// that a quick next one replaces it; an end is told at once. A channel that was switched off is asked once more for what it left.
func announced(s preview.State, d preview.Decision, r Rules) preview.Decision {
	if d.Preview == nil || tells(s.Preview) == tells(d.Preview) {
		return d
	}
	delay := settle
	switch d.Preview.Status {
	case preview.StatusRunning, preview.StatusFailed, preview.StatusBlocked, preview.StatusDeleting, preview.StatusDeleted:
		delay = 0
	}
	left := map[preview.JobKind]bool{
		preview.JobCheck:       d.Preview.Channels.Check != (preview.Check{}),
		preview.JobEnvironment: d.Preview.Channels.Environment != (preview.Environment{}),
	}
	for _, kind := range []preview.JobKind{preview.JobCheck, preview.JobEnvironment} {
		if slices.Contains(r.Channels, kind) || left[kind] {
			d.Jobs = append(d.Jobs, preview.JobRequest{Kind: kind, Delay: delay})
		}
	}
	return d
}

// written takes over what was written beside the comment. It asks for no job: the channel's own job goes on, or runs again when it was
// asked for meanwhile.
func written(p preview.Preview, e preview.Event) preview.Decision {
	before := p
	if e.Check != nil {
		p.Channels.Check = *e.Check
	}
	if e.Environment != nil {
		p.Channels.Environment = *e.Environment
	}
	if p == before {
		return preview.Decision{}
	}
	return preview.Decision{Preview: &p}
}
