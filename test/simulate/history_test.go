package simulate

import (
	"fmt"
	"math/bits"
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
	opNoDatabase  kind = "database out of one replica's reach"
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
	opStaleList   kind = "lists stale"
	opCluster     kind = "cluster down"
	opNoCluster   kind = "cluster out of one replica's reach"
	opThrottle    kind = "cluster 429"
	opConflict    kind = "cluster 409"
	opSilent      kind = "watch silent"
	opLostReply   kind = "cluster reply lost"
	opStuck       kind = "deletion stuck"
	opPods        kind = "pods lost"
	opDeleted     kind = "namespace deleted by hand"
)

// weights says how often an operation is drawn, relative to the others.
var weights = []struct {
	kind kind
	n    int
}{
	{opOpen, 8}, {opPush, 12}, {opBack, 4}, {opClose, 10}, {opMerge, 3}, {opReopen, 7}, {opRetarget, 1}, {opRedeploy, 3}, {opRename, 2}, {opUncomment, 2},
	{opCrash, 6}, {opStop, 3}, {opPause, 6}, {opSkew, 1}, {opDatabase, 2}, {opNoDatabase, 2}, {opLostCommit, 4}, {opGitHub, 2}, {opLimited, 2},
	{opLostComment, 3}, {opHide, 2}, {opBlip, 3}, {opVanish, 1}, {opForbid, 1}, {opSuspend, 1}, {opEmptyList, 1}, {opFailList, 1}, {opShortList, 1},
	{opStaleList, 2}, {opCluster, 2}, {opNoCluster, 2}, {opThrottle, 2}, {opConflict, 3}, {opSilent, 2}, {opLostReply, 4}, {opStuck, 3}, {opPods, 3}, {opDeleted, 2},
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
	Pulls    int // how many pull requests there are
	Limits   policy.Limits
	Squatter bool // somebody else has a namespace of the name that the first pull request's preview wants
	Ops      []op
}

// String gives the history for people, one operation a line.
func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d replicas, %d pull requests, limits %+v, squatter %v, salt %d\n", h.Replicas, h.Pulls, h.Limits, h.Squatter, h.Salt)
	for _, o := range h.Ops {
		fmt.Fprintf(&b, "  after %-9s %-36s pull %d, replica %d, for %s, commit %s, %d deliveries up to %s late\n",
			o.gap(), o.Kind, o.Pull, o.Slot, o.length(), o.Class, o.Copies, time.Duration(1<<o.Late)*time.Millisecond)
	}
	return b.String()
}

// even draws a number below n, each as likely as any other: the draws of rapid prefer small ones, and some faults would
// hardly ever come.
func even(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		x := 0
		for range bits.Len(uint(n)) + 3 {
			x <<= 1
			if bit.Draw(t, "bit") {
				x++
			}
		}
		return x % n
	})
}

// among draws one of the values, each as likely as any other; one may be given several times.
func among[T any](values ...T) *rapid.Generator[T] {
	return rapid.Map(even(len(values)), func(i int) T { return values[i] })
}

var (
	bit      = rapid.Bool()
	ofKind   = among(kinds()...)
	ofGap    = even(17)
	ofPull   = even(pulls)
	ofSlot   = even(3)
	ofLength = even(7)
	ofClass  = among(good, good, good, good, good, slow, never, crashes, noChart, refused)
	ofCopies = among(1, 1, 1, 1, 0, 2, 3, 5)
	ofLate   = even(14)
)

var opGen = rapid.Custom(func(t *rapid.T) op {
	return op{
		Kind: ofKind.Draw(t, "kind"), Gap: ofGap.Draw(t, "gap"), Pull: ofPull.Draw(t, "pull"), Slot: ofSlot.Draw(t, "replica"),
		Length: 12 + ofLength.Draw(t, "length"), // 4 seconds to 4 minutes
		Class:  ofClass.Draw(t, "commit"), Copies: ofCopies.Draw(t, "copies"), Late: 4 + ofLate.Draw(t, "late"),
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

var (
	ofReplicas = among(2, 3, 1)
	ofPulls    = among(1, 2, 2, 3, 4)
	ofLimit    = among(0, 1, 2)
	squatting  = among(false, false, false, true)
	some       = rapid.SliceOfN(opGen, 1, 16)
)

var historyGen = rapid.Custom(func(t *rapid.T) history {
	return history{
		Salt: rapid.Uint64().Draw(t, "salt"), Replicas: ofReplicas.Draw(t, "replicas"), Pulls: ofPulls.Draw(t, "pulls"),
		Limits: policy.Limits{
			Deployments: ofLimit.Draw(t, "deployments"), Previews: ofLimit.Draw(t, "previews"), PreviewsPerRepository: ofLimit.Draw(t, "of a repository"),
		},
		Squatter: squatting.Draw(t, "squatter"),
		Ops:      append(some.Draw(t, "ops"), some.Draw(t, "more ops")...),
	}
})
