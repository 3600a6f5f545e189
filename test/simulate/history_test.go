//go:build simulate

package simulate

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/policy"
)

// kind names an operation of a history.
type kind string

// What people do.
const (
	opOpen      kind = "open"
	opPush      kind = "push"
	opBack      kind = "force-push back"
	opClose     kind = "close"
	opMerge     kind = "merge"
	opReopen    kind = "reopen"
	opRetarget  kind = "retarget"
	opRedeploy  kind = "redeploy"
	opRename    kind = "rename repository"
	opUncomment kind = "delete our comment"
)

// What goes wrong.
const (
	opCrash       kind = "crash"
	opStop        kind = "stop"
	opPause       kind = "pause"
	opSkew        kind = "skew clock"
	opDatabase    kind = "database down"
	opLostCommit  kind = "commit reply lost"
	opGitHub      kind = "GitHub 5xx"
	opLimited     kind = "GitHub rate limit"
	opLostComment kind = "comment reply lost"
	opHide        kind = "repository hidden"
	opBlip        kind = "one 404"
	opVanish      kind = "repository gone for ever"
	opForbid      kind = "GitHub forbids"
	opSuspend     kind = "installation suspended"
	opEmptyList   kind = "list empty"
	opFailList    kind = "list fails"
	opShortList   kind = "list truncated"
	opCluster     kind = "cluster down"
	opConflict    kind = "cluster 409"
	opLostCreate  kind = "namespace reply lost"
	opStuck       kind = "deletion stuck"
	opPods        kind = "pods lost"
	opDeleted     kind = "namespace deleted by hand"
)

// weights says how often an operation is drawn, relative to the others.
var weights = []struct {
	kind kind
	n    int
}{
	{opOpen, 5}, {opPush, 8}, {opBack, 3}, {opClose, 5}, {opMerge, 2}, {opReopen, 4}, {opRetarget, 1}, {opRedeploy, 2}, {opRename, 1}, {opUncomment, 1},
	{opCrash, 5}, {opStop, 2}, {opPause, 5}, {opSkew, 1}, {opDatabase, 2}, {opLostCommit, 3}, {opGitHub, 2}, {opLimited, 2}, {opLostComment, 3},
	{opHide, 2}, {opBlip, 2}, {opVanish, 1}, {opForbid, 1}, {opSuspend, 1}, {opEmptyList, 1}, {opFailList, 1}, {opShortList, 1}, {opCluster, 2}, {opConflict, 2},
	{opLostCreate, 2}, {opStuck, 2}, {opPods, 2}, {opDeleted, 1},
}

// class is what a commit does when it is deployed.
type class string

const (
	good    class = "good"
	slow    class = "slow"     // ready after more than a minute
	never   class = "never"    // never ready
	crashes class = "crashes"  // its workload fails
	noChart class = "no chart" // there is nothing to deploy
	refused class = "refused"  // the API server refuses an object
)

// op is one operation and when it comes.
type op struct {
	Kind   kind
	Gap    int // the pause before it is 2^Gap milliseconds, a little more or less
	Pull   int // which pull request
	Slot   int // which replica
	Length int // it lasts 2^Length milliseconds
	Class  class
	Copies int // of the delivery; 0: it is lost
	Late   int // each copy comes up to 2^Late milliseconds late
}

func (o op) gap() time.Duration    { return time.Duration(1<<o.Gap) * time.Millisecond }
func (o op) length() time.Duration { return time.Duration(1<<o.Length) * time.Millisecond }

// history is one run: the world at its start and what happens in it.
type history struct {
	Salt     uint64
	Replicas int
	Limits   policy.Limits
	Squatter bool // somebody else has a namespace of the name that the first pull request's preview wants
	Ops      []op
}

// String gives the history for people, one operation a line.
func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d replicas, limits %+v, squatter %v, salt %d\n", h.Replicas, h.Limits, h.Squatter, h.Salt)
	for _, o := range h.Ops {
		fmt.Fprintf(&b, "  after %-9s %-26s pull %d, replica %d, for %s, commit %s, %d deliveries up to %s late\n",
			o.gap(), o.Kind, o.Pull, o.Slot, o.length(), o.Class, o.Copies, time.Duration(1<<o.Late)*time.Millisecond)
	}
	return b.String()
}

var opGen = rapid.Custom(func(t *rapid.T) op {
	return op{
		Kind: rapid.SampledFrom(kinds()).Draw(t, "kind"),
		Gap:  rapid.IntRange(0, 16).Draw(t, "gap"),
		Pull: rapid.IntRange(0, pulls-1).Draw(t, "pull"),
		Slot: rapid.IntRange(0, 2).Draw(t, "replica"),
		// 5 seconds to 4 minutes
		Length: rapid.IntRange(12, 18).Draw(t, "length"),
		Class:  rapid.SampledFrom([]class{good, good, good, good, good, slow, never, crashes, noChart, refused}).Draw(t, "commit"),
		Copies: rapid.SampledFrom([]int{1, 1, 1, 1, 0, 2, 3, 5}).Draw(t, "copies"),
		Late:   rapid.IntRange(4, 17).Draw(t, "late"),
	}
})

func kinds() []kind {
	var all []kind
	for _, w := range weights {
		for range w.n {
			all = append(all, w.kind)
		}
	}
	return all
}

var historyGen = rapid.Custom(func(t *rapid.T) history {
	limit := rapid.SampledFrom([]int{0, 1, 2})
	return history{
		Salt:     rapid.Uint64().Draw(t, "salt"),
		Replicas: rapid.IntRange(2, 3).Draw(t, "replicas"),
		Limits: policy.Limits{
			Deployments: limit.Draw(t, "deployments"), Previews: limit.Draw(t, "previews"), PreviewsPerRepository: limit.Draw(t, "of a repository"),
		},
		Squatter: rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "squatter"),
		Ops:      rapid.SliceOfN(opGen, 2, 24).Draw(t, "ops"),
	}
})
