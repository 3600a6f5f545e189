package app

import (
	"testing"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
)

// TestGuardsOfStrangers: a pull request from elsewhere is held to less than one of the repository's own.
func TestGuardsOfStrangers(t *testing.T) {
	t.Parallel()
	c := config.Preview{PodSecurity: "restricted", Guards: config.Guards{Pods: 30, ForkPercent: 40}}
	r := config.Repository{PodSecurity: "baseline"}
	for trust, want := range map[preview.Trust]int{preview.TrustOwn: 0, preview.TrustFork: 40, preview.TrustBot: 40} {
		g := guards(c, r, "pr-web-1.preview.example.com", trust)
		if g.Quota.Percent != want || g.Quota.Pods != 30 || g.PodSecurity != "baseline" {
			t.Errorf("%s: %d percent, want %d: %+v", trust, g.Quota.Percent, want, g)
		}
	}
}
