package policy_test

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

// TestNotified shows who is told what: each new status, to those who want it, in the transaction that makes it so.
func TestNotified(t *testing.T) {
	t.Parallel()
	r := rules
	r.Receivers = []policy.Receiver{{Name: "all"}, {Name: "trouble", Only: []string{"failed", "removal_stuck", "sweep_stopped"}}}
	deploying := preview.Preview{ID: "p1", PullRequest: pull(shaA, true), Status: preview.StatusDeploying, Generation: 1}
	deleting := preview.Preview{ID: "p1", PullRequest: pull(shaA, false), Namespace: "pr-web-7", Status: preview.StatusDeleting, Generation: 1}
	running := preview.Preview{ID: "p1", PullRequest: pull(shaA, true), Status: preview.StatusRunning, Generation: 1, Settled: 1}
	why := &preview.Diagnosis{Code: "IMAGE_NOT_FOUND", Cause: "It is not there.", Fix: "Build it.", Blame: preview.BlameChange}
	stuck := &preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: "a finalizer"}
	for name, test := range map[string]struct {
		p    *preview.Preview
		e    preview.Event
		want string
		text string
	}{
		"ready":               {&deploying, preview.Event{Kind: preview.EventSucceeded, Generation: 1, SHA: shaA, URL: "https://x.example.com"}, "all:status", "acme/web#7 is running: https://x.example.com"},
		"failed":              {&deploying, preview.Event{Kind: preview.EventFailed, Generation: 1, Diagnosis: why}, "all:status trouble:status", "acme/web#7 is failed: It is not there."},
		"a step":              {&deploying, preview.Event{Kind: preview.EventSteps, Generation: 1}, "", ""},
		"nothing new":         {&running, preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaA, true)}, "", ""},
		"another commit":      {&running, preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaB, true)}, "", ""},
		"closed":              {&running, preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaA, false)}, "all:status", "acme/web#7 is deleting"},
		"stuck":               {&deleting, preview.Event{Kind: preview.EventDeleteStuck, Generation: 1, Diagnosis: stuck}, "all:removal_stuck trouble:removal_stuck", "its namespace pr-web-7 does not go away: a finalizer"},
		"the comment written": {&running, preview.Event{Kind: preview.EventCommented, CommentID: 4}, "", ""},
		"the sweep stopped":   {nil, preview.Event{Kind: preview.EventAlarm, Alarm: "the sweep stopped itself"}, "all:sweep_stopped trouble:sweep_stopped", "the sweep stopped itself"},
	} {
		test.e.Key = key
		d, err := policy.Decide(preview.State{Preview: test.p, Now: now, Deployment: &preview.Deployment{SHA: shaA, Generation: 1, Status: preview.DeploymentRunning}}, test.e, r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, n := range d.Notifications {
			got = append(got, n.Receiver+":"+string(n.Kind))
			if !strings.Contains(n.Text, test.text) || !n.At.Equal(now) {
				t.Errorf("%s: %+v", name, n)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: told %v, want %s", name, got, test.want)
		}
		asked := false
		for _, j := range d.Jobs {
			asked = asked || j.Kind == preview.JobNotify
		}
		if asked != (len(got) > 0) {
			t.Errorf("%s: the job is asked for: %v", name, asked)
		}
	}
	if d, err := policy.Decide(preview.State{Now: now}, preview.Event{Kind: preview.EventNotified, Notified: "n1"}, r); err != nil || len(d.Delivered) != 1 {
		t.Errorf("delivered: %+v, %v", d, err)
	}
}

// TestCommentInAStorm shows that the comment about a deployment waits when another began moments ago, and does not otherwise.
func TestCommentInAStorm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ago     time.Duration
		comment int64
		waits   bool
	}{
		"moments ago":          {3 * time.Second, 4, true},
		"a while ago":          {time.Minute, 4, false},
		"nothing is there yet": {3 * time.Second, 0, false},
		"just now":             {0, 4, true},
	} {
		p := preview.Preview{PullRequest: pull(shaB, true), Status: preview.StatusRunning, Generation: 2, Settled: 1, CommentID: test.comment}
		s := preview.State{Preview: &p, Now: now, Deployment: &preview.Deployment{SHA: shaA, Generation: 1, Status: preview.DeploymentSucceeded, StartedAt: now.Add(-test.ago)}}
		d, err := policy.Decide(s, preview.Event{Kind: preview.EventStarted, Key: key, Generation: 2, SHA: shaB}, rules)
		if err != nil || len(d.Jobs) != 1 || (d.Jobs[0].Delay > 0) != test.waits {
			t.Errorf("%s: %+v, %v", name, d.Jobs, err)
		}
	}
}
