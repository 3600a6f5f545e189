package preview

import "slices"

// Blame says whose turn it is after a failure.
type Blame string

// Who can mend a failure.
const (
	BlameChange    Blame = "change"    // the pull request's own commits
	BlameConfig    Blame = "config"    // chart, values or server configuration
	BlameCluster   Blame = "cluster"   // the cluster's operator
	BlameRegistry  Blame = "registry"  // the image registry
	BlameTransient Blame = "transient" // nobody: trying again helps
	BlameUnknown   Blame = "unknown"
)

// Unsure is the confidence below which a cause is told as the most likely one and no more.
const Unsure = 0.7

// Diagnosis says why a deployment or a deletion failed, in words for people.
type Diagnosis struct {
	Code         string        `json:"code"`                   // stable, upper case: RENDER, IMAGE_NOT_FOUND, TIMEOUT …; all are in docs/diagnosis.md
	Cause        string        `json:"cause"`                  // one sentence: what failed and where; see Sentence
	Evidence     []string      `json:"evidence,omitempty"`     // at most 12 lines of foreign text (logs, events); never trusted, always fenced
	LogLines     int           `json:"log_lines,omitempty"`    // how many of the last lines of Evidence a container wrote; the others are the cluster's
	File         string        `json:"file,omitempty"`         // the file of the repository that is at fault, where it is known
	Line         int           `json:"line,omitempty"`         // in that file
	Fix          string        `json:"fix,omitempty"`          // one sentence: what to do next
	Blame        Blame         `json:"blame"`                  // whose turn it is
	Confidence   float64       `json:"confidence,omitempty"`   // 0 to 1; 0 where nothing was weighed, because the failure names its cause itself
	Because      string        `json:"because,omitempty"`      // what speaks for the cause, where it is not certain
	Alternatives []Alternative `json:"alternatives,omitempty"` // the likeliest first
}

// Alternative is a cause beside the one that a diagnosis tells.
type Alternative struct {
	Code  string `json:"code"`
	Cause string `json:"cause"`
	Fix   string `json:"fix,omitempty"`
	Blame Blame  `json:"blame"`
	Too   bool   `json:"too,omitempty"` // it is true as well, and needs mending of its own; otherwise it may be true instead
}

// Unsure reports whether the cause is the most likely one and no more.
func (d Diagnosis) Unsure() bool { return d.Confidence > 0 && d.Confidence < Unsure }

// Sentence tells the cause as surely as it is known: a certain one as it is, with what else is wrong; one that the evidence does
// not single out as "Not sure: most likely …".
func (d Diagnosis) Sentence() string {
	text := d.Cause
	if d.Unsure() {
		text = "Not sure. Most likely: " + d.Cause
		if d.Because != "" {
			text += " (Because " + d.Because + ".)"
		}
	}
	for _, a := range d.Alternatives {
		if a.Too {
			text += " Besides: " + a.Cause
		} else {
			text += " Else: " + a.Cause
		}
	}
	return text
}

// Rewrite returns the diagnosis with what is foreign in it rewritten: the sentences, those of the alternatives too, by text, the
// evidence as a whole by lines.
func (d Diagnosis) Rewrite(text func(string) string, lines func([]string) []string) Diagnosis {
	d.Cause, d.Fix, d.Because = text(d.Cause), text(d.Fix), text(d.Because)
	d.Alternatives = slices.Clone(d.Alternatives)
	for i := range d.Alternatives {
		d.Alternatives[i].Cause, d.Alternatives[i].Fix = text(d.Alternatives[i].Cause), text(d.Alternatives[i].Fix)
	}
	if len(d.Evidence) > 0 {
		d.Evidence = lines(d.Evidence)
	}
	return d
}

// Codes of the diagnoses that more than one package gives. The catalogue of all codes is in docs/diagnosis.md.
const (
	CodeChartMissing  = "CHART_MISSING"  // no chart at the commit
	CodeChartInvalid  = "CHART_INVALID"  // the chart cannot be loaded
	CodeRender        = "RENDER"         // the chart's templates do not render
	CodeRenderLimit   = "RENDER_LIMIT"   // rendering takes or makes too much
	CodeSandbox       = "SANDBOX"        // the server cannot shut the renderer in, so nothing is rendered
	CodeValues        = "VALUES"         // a values file cannot be read
	CodeConfig        = "CONFIG"         // the server's configuration for the repository is wrong
	CodeApply         = "APPLY"          // the API server refused an object
	CodeRollout       = "ROLLOUT"        // a workload reports that it failed
	CodeTimeout       = "TIMEOUT"        // not ready within the limit
	CodeHook          = "HOOK_FAILED"    // a Helm hook failed
	CodeNamespace     = "NAMESPACE"      // the namespace cannot be had
	CodeSecretMissing = "SECRET_MISSING" // a Secret that the preview is to get cannot be copied
	CodeSecretTaken   = "SECRET_TAKEN"   // another Secret has the name of a copy
	CodeStuckDelete   = "STUCK_DELETE"   // the namespace does not go away
	CodeForksOff      = "FORKS_OFF"      // the repository's configuration gives forks no previews
	CodeOutage        = "OUTAGE"         // something Catalyst needs did not answer, even after retries
)
