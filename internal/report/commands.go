package report

import "catalyst.dev/catalyst/internal/preview"

// commands lists what people may say, folded away, where there is something that it can be said about.
func commands(p preview.Preview) string {
	switch p.Status {
	case preview.StatusRunning, preview.StatusDegraded, preview.StatusFailed:
		return "\n<details><summary>Commands</summary>\n\n" +
			"In the first line of a comment: `/preview redeploy` · `/preview diagnose` · `/preview logs NAME` · `/preview destroy` · `/preview help`\n\n</details>\n"
	}
	return ""
}
