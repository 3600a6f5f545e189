// Package doctor runs checks of what Catalyst stands on, all at once and each with a deadline, and says what was found. The parts bring
// their own checks; those of names and addresses are here. It mends nothing.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Status is the result of a check.
type Status string

// The statuses, from good to bad.
const (
	OK   Status = "ok"
	Skip Status = "skip" // not checked, and why
	Warn Status = "warn" // Catalyst works, but not all of it or not well
	Fail Status = "fail" // Catalyst does not work
)

// Finding is what one check found.
type Finding struct {
	Group  string `json:"group"` // what it is about: cluster, GitHub …
	Name   string `json:"name"`  // what was checked
	Status Status `json:"status"`
	Found  string `json:"found"`
	Why    string `json:"why,omitempty"` // it matters; empty when OK
	Fix    string `json:"fix,omitempty"` // what to do, best a command; empty when OK
}

// Check looks at one thing, which may give several findings.
type Check struct {
	Group string
	Name  string
	Limit time.Duration // 10 s when zero
	Run   func(ctx context.Context) []Finding
}

// One makes a check with one finding, which has the check's group and name.
func One(group, name string, run func(ctx context.Context) Finding) Check {
	return Check{Group: group, Name: name, Run: func(ctx context.Context) []Finding {
		f := run(ctx)
		f.Group, f.Name = group, name
		return []Finding{f}
	}}
}

const (
	usual = 10 * time.Second
	grace = time.Second // for a check to say itself that its time was over
)

// Run runs all checks at the same time and returns their findings in the checks' order. One that does not end in time is a failure, and
// is not waited for.
func Run(ctx context.Context, checks []Check) []Finding {
	results := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { results[i] = c.run(ctx) })
	}
	all.Wait()
	var findings []Finding
	for _, r := range results {
		findings = append(findings, r...)
	}
	return findings
}

func (c Check) run(parent context.Context) []Finding {
	limit := c.Limit
	if limit == 0 {
		limit = usual
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.Run(ctx) }()
	timer := time.NewTimer(limit + grace)
	defer timer.Stop()
	found := fmt.Sprintf("no answer within %s", limit)
	select {
	case findings := <-done:
		return findings
	case <-timer.C:
	case <-parent.Done():
		found = "stopped"
	}
	return []Finding{{Group: c.Group, Name: c.Name, Status: Fail, Found: found, Why: "What does not answer now cannot be relied on.", Fix: "See whether it is overloaded, or a firewall is in between."}}
}

// Worst returns the worst status of all findings; OK when there are none.
func Worst(findings []Finding) Status {
	order := map[Status]int{OK: 0, Skip: 1, Warn: 2, Fail: 3}
	worst := OK
	for _, f := range findings {
		if order[f.Status] > order[worst] {
			worst = f.Status
		}
	}
	return worst
}
