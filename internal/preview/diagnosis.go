package preview

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

// Diagnosis says why a deployment or a deletion failed, in words for people.
type Diagnosis struct {
	Code     string   `json:"code"`               // stable, upper case: RENDER, IMAGE_NOT_FOUND, TIMEOUT …
	Cause    string   `json:"cause"`              // one sentence: what failed and where
	Evidence []string `json:"evidence,omitempty"` // at most 12 lines of foreign text (logs, events); never trusted, always fenced
	Fix      string   `json:"fix,omitempty"`      // one sentence: what to do next
	Blame    Blame    `json:"blame"`
}

// Codes of the diagnoses that more than one package gives. The catalogue of all codes is in docs/diagnosis.md.
const (
	CodeChartMissing = "CHART_MISSING" // no chart at the commit
	CodeChartInvalid = "CHART_INVALID" // the chart cannot be loaded
	CodeRender       = "RENDER"        // the chart's templates do not render
	CodeValues       = "VALUES"        // a values file cannot be read
	CodeConfig       = "CONFIG"        // the server's configuration for the repository is wrong
	CodeApply        = "APPLY"         // the API server refused an object
	CodeRollout      = "ROLLOUT"       // a workload reports that it failed
	CodeTimeout      = "TIMEOUT"       // not ready within the limit
	CodeHook         = "HOOK_FAILED"   // a Helm hook failed
	CodeNamespace    = "NAMESPACE"     // the namespace cannot be had
	CodeStuckDelete  = "STUCK_DELETE"  // the namespace does not go away
	CodeForksOff     = "FORKS_OFF"     // the repository's configuration gives forks no previews
	CodeOutage       = "OUTAGE"        // something Catalyst needs did not answer, even after retries
)
