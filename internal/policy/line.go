package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Limits bound what runs at once. Zero means no limit.
type Limits struct {
	Deployments           int // deployments at once
	Previews              int // previews that hold a namespace, in all
	PreviewsPerRepository int
}

// live reports whether the preview takes one of the places that Limits counts: it holds a namespace or is about to.
func live(p preview.Place) bool { return p.Live || p.Status == preview.StatusDeploying }

// Line returns the previews that wait, in the order in which they are served: first come, first served within a
// repository, and the repositories take turns, so that one that opens fifty pull requests does not keep the others out.
func Line(places []preview.Place) []preview.Place {
	var waiting []preview.Place
	for _, p := range places {
		if p.Status == preview.StatusQueued {
			waiting = append(waiting, p)
		}
	}
	slices.SortFunc(waiting, byArrival)
	turn := map[string]int{} // by preview: how many of its repository come before it
	seen := map[int64]int{}
	for _, p := range waiting {
		turn[p.PreviewID] = seen[p.RepositoryID]
		seen[p.RepositoryID]++
	}
	slices.SortStableFunc(waiting, func(a, b preview.Place) int {
		return cmp.Or(cmp.Compare(turn[a.PreviewID], turn[b.PreviewID]), byArrival(a, b))
	})
	return waiting
}

func byArrival(a, b preview.Place) int {
	return cmp.Or(a.QueuedAt.Compare(b.QueuedAt), cmp.Compare(a.PreviewID, b.PreviewID))
}

// Wait returns why the preview with this id has to wait, and false when it may be deployed now. It is asked for a preview
// that wants to be deployed, whether it waits already or not; at is when it came.
func Wait(places []preview.Place, l Limits, self preview.Place, at time.Time) (preview.Waiting, bool) {
	self.Status = preview.StatusQueued
	if self.QueuedAt.IsZero() {
		self.QueuedAt = at
	}
	others := slices.DeleteFunc(slices.Clone(places), func(p preview.Place) bool { return p.PreviewID == self.PreviewID })
	had := slices.ContainsFunc(places, func(p preview.Place) bool { return p.PreviewID == self.PreviewID && live(p) })

	line := Line(append(others, self))
	held := counts(others)
	if had { // its own namespace is a place that is taken, for those before it too
		held.previews++
		held.perRepository[self.RepositoryID]++
	}
	for i, p := range line {
		if p.PreviewID != self.PreviewID {
			if held.full(l, p) == "" {
				held.take(p) // whoever is before us takes a place first
			}
			continue
		}
		reason := held.full(l, p)
		if had { // it holds its namespace already: only the deployments at once count
			reason = held.fullDeployments(l)
		}
		if reason == "" {
			return preview.Waiting{}, false
		}
		return preview.Waiting{Position: i + 1, Of: len(line), Reason: reason}, true
	}
	return preview.Waiting{}, false
}

// taken counts the places that are taken.
type taken struct {
	deployments, previews int
	perRepository         map[int64]int
}

func counts(places []preview.Place) *taken {
	t := &taken{perRepository: map[int64]int{}}
	for _, p := range places {
		if p.Status == preview.StatusDeploying {
			t.deployments++
		}
		if live(p) {
			t.previews++
			t.perRepository[p.RepositoryID]++
		}
	}
	return t
}

func (t *taken) take(p preview.Place) {
	t.deployments++
	t.previews++
	t.perRepository[p.RepositoryID]++
}

// full says what keeps the preview out, or nothing.
func (t *taken) full(l Limits, p preview.Place) string {
	switch n := t.perRepository[p.RepositoryID]; {
	case l.PreviewsPerRepository > 0 && n >= l.PreviewsPerRepository:
		return fmt.Sprintf("a free preview of this repository (%d of %d in use)", n, l.PreviewsPerRepository)
	case l.Previews > 0 && t.previews >= l.Previews:
		return fmt.Sprintf("a free preview (%d of %d in use)", t.previews, l.Previews)
	}
	return t.fullDeployments(l)
}

func (t *taken) fullDeployments(l Limits) string {
	if l.Deployments > 0 && t.deployments >= l.Deployments {
		return fmt.Sprintf("a free deployment slot (%d of %d in use)", t.deployments, l.Deployments)
	}
	return ""
}
