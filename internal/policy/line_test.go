package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

func place(id string, repository int64, status preview.Status, after time.Duration) preview.Place {
	p := preview.Place{PreviewID: id, Key: preview.Key{RepositoryID: repository, Number: 1}, Status: status, Live: status == preview.StatusRunning}
	if status == preview.StatusQueued {
		p.QueuedAt = now.Add(after)
	}
	return p
}

// TestLineTakesTurns: a repository that came first with many does not keep the others waiting for all of them.
func TestLineTakesTurns(t *testing.T) {
	t.Parallel()
	line := policy.Line([]preview.Place{
		place("a1", 1, preview.StatusQueued, 1), place("a2", 1, preview.StatusQueued, 2), place("a3", 1, preview.StatusQueued, 3),
		place("b1", 2, preview.StatusQueued, 4), place("run", 1, preview.StatusDeploying, 0), place("c1", 3, preview.StatusQueued, 5), place("b2", 2, preview.StatusQueued, 6),
	})
	var got []string
	for _, p := range line {
		got = append(got, p.PreviewID)
	}
	if want := "a1 b1 c1 a2 b2 a3"; strings.Join(got, " ") != want {
		t.Errorf("line %v, want %s", got, want)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	running := []preview.Place{place("r1", 1, preview.StatusDeploying, 0), place("r2", 1, preview.StatusRunning, 0), place("r3", 2, preview.StatusDeleted, 0)}
	self := place("me", 1, preview.StatusPending, 0)
	for name, c := range map[string]struct {
		limits policy.Limits
		places []preview.Place
		want   string
	}{
		"no limit":                     {policy.Limits{}, running, ""},
		"a slot is free":               {policy.Limits{Deployments: 2}, running, ""},
		"no slot":                      {policy.Limits{Deployments: 1}, running, "1 of 1: a free deployment slot (1 of 1 in use)"},
		"repository is full":           {policy.Limits{PreviewsPerRepository: 2}, running, "1 of 1: a free preview of this repository (2 of 2 in use)"},
		"all is full":                  {policy.Limits{Previews: 2}, running, "1 of 1: a free preview (2 of 2 in use)"},
		"deleted do not count":         {policy.Limits{Previews: 3}, running, ""},
		"somebody is before":           {policy.Limits{Deployments: 2}, append(running, place("first", 2, preview.StatusQueued, -time.Second)), "2 of 2: a free deployment slot (2 of 2 in use)"},
		"who is before cannot":         {policy.Limits{Previews: 0, PreviewsPerRepository: 2}, append(running[:2:2], place("first", 1, preview.StatusQueued, -time.Second)), "2 of 2: a free preview of this repository (2 of 2 in use)"},
		"who is before waits for mine": {policy.Limits{Previews: 1, Deployments: 1}, []preview.Place{place("first", 1, preview.StatusQueued, -time.Second), place("me", 1, preview.StatusRunning, 0)}, ""},
		"I hold mine already":          {policy.Limits{Previews: 2, Deployments: 2}, append(running[:2:2], place("me", 1, preview.StatusRunning, 0)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, waits := policy.Wait(c.places, c.limits, self, now)
			got := ""
			if waits {
				got = fmt.Sprintf("%d of %d: %s", w.Position, w.Of, w.Reason)
			}
			if got != c.want {
				t.Errorf("waits %q, want %q", got, c.want)
			}
		})
	}
}

// TestLineProperty: whatever waits, the limits hold, nobody who could go is held back for ever, and admitting in order empties the line.
func TestLineProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := policy.Limits{Deployments: rapid.IntRange(1, 4).Draw(rt, "deployments"), Previews: rapid.IntRange(0, 9).Draw(rt, "previews"), PreviewsPerRepository: rapid.IntRange(0, 4).Draw(rt, "per repository")}
		n := rapid.IntRange(1, 25).Draw(rt, "n")
		places := make([]preview.Place, n)
		for i := range places {
			places[i] = place(fmt.Sprint(i), int64(rapid.IntRange(1, 4).Draw(rt, "repository")), preview.StatusQueued, time.Duration(i))
		}
		for served := 0; served < n; {
			before := served
			for i := range places {
				if places[i].Status != preview.StatusQueued {
					continue
				}
				if _, waits := policy.Wait(places, l, places[i], now); waits {
					continue
				}
				places[i].Status = preview.StatusDeploying
				check(rt, places, l)
			}
			for i := range places { // they end; a preview that was ready is closed again, so that its place is free
				if places[i].Status == preview.StatusDeploying {
					places[i].Status = preview.StatusDeleted
					served++
				}
			}
			if served == before {
				rt.Fatalf("%d wait and nobody may go: %v", n-served, policy.Line(places))
			}
		}
	})
}

func check(rt *rapid.T, places []preview.Place, l policy.Limits) {
	deploying, perRepository := 0, map[int64]int{}
	for _, p := range places {
		if p.Status == preview.StatusDeploying {
			deploying++
			perRepository[p.RepositoryID]++
			if l.PreviewsPerRepository > 0 && perRepository[p.RepositoryID] > l.PreviewsPerRepository {
				rt.Fatalf("repository %d has %d, allowed are %d", p.RepositoryID, perRepository[p.RepositoryID], l.PreviewsPerRepository)
			}
		}
	}
	if deploying > l.Deployments || l.Previews > 0 && deploying > l.Previews {
		rt.Fatalf("%d deploy, allowed are %+v", deploying, l)
	}
}
