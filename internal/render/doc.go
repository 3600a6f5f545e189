// Package render turns a chart and values into Kubernetes manifests. Templates are programs, and their author is whoever opened the
// pull request, so they run in a child process of their own: the same binary again, which shuts itself into package sandbox before it reads
// anything, renders one chart and ends.
//
//	Renderer.Render ──request──► renderOne (in the child): load, check values, render, count
//	                ◄──reply────
//
// What comes back is looked at as if the child had been taken over: within caps, names and texts cleaned. The parent never parses a file
// of the chart and never executes a template of it.
//
// The package must not know a cluster: what templates may ask about it is handed in.
package render

import "time"

// command is the argument by which a program that has this package in it becomes the child.
const command = "render"

// Limits bound one rendering.
type Limits struct {
	Time   time.Duration // of the clock from request to reply, and of the processor
	Memory int64         // bytes of the child's own memory
}

// DefaultLimits are far above what an honest chart needs, and leave room below the 20 seconds within which a failure has to be told.
var DefaultLimits = Limits{Time: 15 * time.Second, Memory: 512 << 20}

// The most that may come out of a chart. Helm records a release in one Secret, which holds 1 MiB.
const (
	maxManifest = 1 << 20 // bytes of all documents
	maxObjects  = 200     // hooks and the items of Lists included
	maxNodes    = 50_000  // values in all documents, as reading YAML costs many times its size
	maxExpanded = 4 << 20 // bytes of all documents as JSON: YAML can repeat a text by naming it
)

// openFiles is how many descriptors a child may have; it opens none.
const openFiles = 64
