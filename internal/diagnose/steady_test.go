package diagnose_test

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
)

// TestSteady shows that a container which nobody asks is not called ready in its first moments, whatever the node's clock says, and that
// one that is asked, or was seen to run for a while, or has run for long, is.
func TestSteady(t *testing.T) {
	t.Parallel()
	up := func(started, seen time.Duration, checked bool, before *diagnose.End) diagnose.Observed {
		o := release(running)
		o.Objects[0].Ready = true
		c := &o.Pods[0].Containers[0]
		c.Ready, c.Started, c.Seen, c.Last = true, now.Add(-started), now.Add(-seen), before
		if !checked {
			c.Probes = []diagnose.Probe{{Kind: "Liveness", By: "http"}}
		}
		return o
	}
	crashed := &diagnose.End{Code: 1}
	for name, test := range map[string]struct {
		o    diagnose.Observed
		want diagnose.State
	}{
		"just started":                   {up(time.Second, time.Second, false, nil), diagnose.Waiting},
		"just started, checked":          {up(time.Second, time.Second, true, nil), diagnose.Fine},
		"has run for a while":            {up(5*time.Second, 5*time.Second, false, nil), diagnose.Fine},
		"just told of by a slow node":    {up(9*time.Second, time.Second, false, nil), diagnose.Waiting},
		"the node's clock is ahead":      {up(-time.Hour, time.Second, false, nil), diagnose.Waiting},
		"ahead, and it has run":          {up(-time.Hour, 5*time.Second, false, nil), diagnose.Fine},
		"has run for hours, just seen":   {up(time.Hour, 0, false, nil), diagnose.Fine},
		"up again after a crash":         {up(8*time.Second, 8*time.Second, false, crashed), diagnose.Waiting},
		"up for long after a crash":      {up(11*time.Second, 11*time.Second, false, crashed), diagnose.Fine},
		"up again after it ended itself": {up(5*time.Second, 5*time.Second, false, &diagnose.End{}), diagnose.Fine},
	} {
		v := diagnose.Judge(test.o)
		if v.State != test.want || (v.Waits != "") != (test.want == diagnose.Waiting) {
			t.Errorf("%s: %s (%q), want %s", name, v.State, v.Waits, test.want)
		}
	}
	ended := up(time.Minute, time.Minute, false, nil)
	c := &ended.Pods[0].Containers[0]
	c.Running, c.Ready, c.Ended = false, false, crashed
	if v := diagnose.Judge(ended); v.State != diagnose.Waiting {
		t.Errorf("its container has ended, which the object has not noticed: %s", v.State)
	}
	ended.Pods[0].Phase = "Failed" // another pod is there in its place
	if v := diagnose.Judge(ended); v.State != diagnose.Fine {
		t.Errorf("a pod that was thrown off: %s", v.State)
	}
	unseen := up(time.Minute, time.Minute, false, nil)
	unseen.Objects[0].Wanted, unseen.Pods = 1, nil
	if v := diagnose.Judge(unseen); v.State != diagnose.Waiting || v.Waits == "" {
		t.Errorf("its pods were not seen yet: %s (%q)", v.State, v.Waits)
	}
	unseen.Once = true
	if v := diagnose.Judge(unseen); v.State != diagnose.Fine {
		t.Errorf("one look, without its pods: %s (%q), want fine: it was ready before", v.State, v.Waits)
	}
	o := up(time.Second, time.Second, false, nil)
	o.Over = true
	if v := diagnose.Judge(o); v.State != diagnose.Fine {
		t.Errorf("at the limit: %s, want fine: it is ready", v.State)
	}
}
