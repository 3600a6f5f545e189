package diagnose_test

import (
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/diagnose"
)

// TestOutputOfACheck: what the command of a check wrote is output of the container, and is told apart like the lines of its log: it may not
// be shown to everybody. What the node says of a check is no such thing.
func TestOutputOfACheck(t *testing.T) {
	t.Parallel()
	for message, secret := range map[string]string{
		"Readiness probe failed: token=abc is not accepted\nuser=dora":        "token=abc",
		"Readiness probe failed: ":                                            "",
		"Readiness probe failed: HTTP probe failed with statuscode: 503":      "",
		"Readiness probe failed: service unhealthy (responded with \"NO\")":   "",
		`Readiness probe failed: command "sh -c x" timed out`:                 "",
		"Readiness probe errored and resulted in unknown state: rpc error: x": "",
	} {
		for _, o := range []diagnose.Observed{release(running, unhealthy(message)), release(running, unhealthy(message), says("loading"), over)} {
			d := diagnose.Explain(o)
			lines := d.Evidence[:len(d.Evidence)-d.LogLines]
			open := d.Sentence() + d.Fix + strings.Join(lines, "\n")
			if secret != "" && (strings.Contains(open, secret) || !strings.Contains(strings.Join(d.Evidence, "\n"), secret)) {
				t.Errorf("%q: %+v", message, d)
			}
			if secret == "" && strings.Contains(open, "its command") && message != "Readiness probe failed: " {
				t.Errorf("%q is taken for output: %+v", message, d)
			}
		}
	}
}
