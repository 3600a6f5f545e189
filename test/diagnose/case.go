package main

import (
	"context"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
)

// wellBehaved is what a case expects that must become ready.
const wellBehaved = "ready"

// scene is a chart that is broken in one way, or seems to be, and what has to be said about it.
type scene struct {
	name  string
	want  string   // the code; wellBehaved when there is nothing to say
	words []string // in the cause, its alternatives or the evidence
	also  string   // code of what is true as well
	fix   string   // word in the fix
	chart []cluster.File

	// known is the moment the cluster itself knows; nil when that is when the objects are there, or the call of Deploy.
	known sign
	limit time.Duration // of the wait; 0 leaves it to the theatre
	long  bool          // it takes longer than a continuous integration has
	// undecided says that nothing but the limit ends it; the wait begins when the cluster has shown what there is to know.
	undecided bool
	// unsure says that the evidence does not single out the cause, and that this must be said.
	unsure bool

	before func(ctx context.Context, s *stage) error // sets the namespace up
	after  func(ctx context.Context, s *stage) error // happens once it is deployed
	during func(ctx context.Context, s *stage) error // happens while it is waited for
	first  []cluster.File                            // is deployed before, and becomes ready
}

// scenes are all the cases.
func scenes(i images) []scene {
	var all []scene
	for _, group := range []func(images) []scene{imageScenes, startScenes, crashScenes, probeScenes, placeScenes, rulesScenes, jobScenes, routeScenes, mixedScenes, healingScenes} {
		all = append(all, group(i)...)
	}
	return all
}
