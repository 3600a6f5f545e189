// Package diagnose says why a release does not become ready, and whether it still may. It is pure: what was observed of the
// release's objects, pods, events and logs goes in, with the time; a verdict comes out, the same for the same observation in
// whatever order it is told.
//
// It reads nothing and decides nothing about the preview. Package cluster observes and asks; the texts that it passes in are foreign
// and stay foreign: whoever shows them fences them.
//
// # How a verdict comes about
//
// Rules look at what is not ready and give findings, each about one object of the release (files named after what they look at: image.go,
// schedule.go, probe.go …). A finding that may be a mere consequence, like a crash because the database does not answer, gives
// way to one about an object that its own depends on (cause.go). What is left are the causes.
package diagnose
