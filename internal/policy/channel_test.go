package policy_test

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

// TestChannelJobs shows when the channels beside the comment are asked for: when what they tell changes, only then, and those only that are
// switched on or have left something.
func TestChannelJobs(t *testing.T) {
	t.Parallel()
	both := []preview.JobKind{preview.JobCheck, preview.JobEnvironment}
	deploying := preview.Preview{PullRequest: pull(shaA, true), Status: preview.StatusDeploying, Generation: 1}
	running := preview.Preview{PullRequest: pull(shaA, true), Status: preview.StatusRunning, Generation: 1, Settled: 1}
	left := running
	left.Channels.Environment.Name = "preview/pr-7"
	for name, test := range map[string]struct {
		on    []preview.JobKind
		p     preview.Preview
		e     preview.Event
		want  []preview.JobKind
		delay bool
	}{
		"it is ready":               {both, deploying, preview.Event{Kind: preview.EventSucceeded, Generation: 1, SHA: shaA}, both, false},
		"it failed":                 {both, deploying, preview.Event{Kind: preview.EventFailed, Generation: 1, Diagnosis: &preview.Diagnosis{}}, both, false},
		"it begins":                 {both, preview.Preview{PullRequest: pull(shaA, true), Status: preview.StatusPending, Generation: 1}, preview.Event{Kind: preview.EventStarted, Generation: 1, SHA: shaA}, both, true},
		"one is switched off":       {both[:1], deploying, preview.Event{Kind: preview.EventSucceeded, Generation: 1, SHA: shaA}, both[:1], false},
		"both are":                  {nil, deploying, preview.Event{Kind: preview.EventSucceeded, Generation: 1, SHA: shaA}, nil, false},
		"off, and something left":   {nil, left, preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaA, false)}, both[1:], false},
		"a step":                    {both, deploying, preview.Event{Kind: preview.EventSteps, Generation: 1}, nil, false},
		"the comment was written":   {both, running, preview.Event{Kind: preview.EventCommented, CommentID: 1, CommentHash: "h"}, nil, false},
		"the check run was written": {both, running, preview.Event{Kind: preview.EventChecked, Check: &preview.Check{ID: 1}}, nil, false},
		"nothing new":               {both, running, preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaA, true)}, nil, false},
	} {
		r := rules
		r.Channels = test.on
		r.Access = func(string) policy.Access { return policy.Access{} }
		s := preview.State{Preview: &test.p, Now: now, Deployment: &preview.Deployment{SHA: shaA, Generation: 1, Status: preview.DeploymentRunning}}
		test.e.Key = key
		d, err := policy.Decide(s, test.e, r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []preview.JobKind
		for _, j := range d.Jobs {
			if j.Kind != preview.JobCheck && j.Kind != preview.JobEnvironment {
				continue
			}
			got = append(got, j.Kind)
			if (j.Delay > 0) != test.delay || j.Delay > time.Minute {
				t.Errorf("%s: %s waits %s", name, j.Kind, j.Delay)
			}
		}
		if len(got) != len(test.want) || len(got) > 0 && got[0] != test.want[0] {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestChannelsWritten shows that what was written is taken over, and that the same again changes nothing.
func TestChannelsWritten(t *testing.T) {
	t.Parallel()
	p := preview.Preview{PullRequest: pull(shaA, true), Status: preview.StatusRunning}
	e := preview.Event{Kind: preview.EventChecked, Key: key, Check: &preview.Check{SHA: shaA, ID: 4}}
	d, err := policy.Decide(preview.State{Preview: &p, Now: now}, e, rules)
	if err != nil || d.Preview == nil || d.Preview.Channels.Check.ID != 4 || d.Preview.ChangedAt != p.ChangedAt {
		t.Fatalf("%+v, %v", d, err)
	}
	if again, err := policy.Decide(preview.State{Preview: d.Preview, Now: now}, e, rules); err != nil || again.Preview != nil {
		t.Errorf("the second time: %+v, %v", again, err)
	}
}
