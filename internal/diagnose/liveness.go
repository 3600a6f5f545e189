package diagnose

import (
	"fmt"
	"strings"
	"time"
)

// killed reports whether it was a health check that ended the container, and then says so in the finding of its crash.
func (v *view) killed(p Pod, c Container, f *finding) bool {
	end := c.end()
	var kill *Event
	events := v.podEvents(p)
	for i, e := range events {
		if e.Reason == "Killing" && strings.Contains(e.Message, "ontainer "+c.Name+" failed ") {
			kill = &events[i]
		}
	}
	// A program may still end by itself after the node has killed a run of it before.
	if kill == nil || end == nil || kill.Last.Before(end.Started) {
		return false
	}
	kind := "Liveness"
	if strings.Contains(kill.Message, "failed startup probe") {
		kind = "Startup"
	}
	f.code, f.confidence = CodeLiveness, sure
	f.evidence = told([]Event{*kill}, 1)
	got := "fails"
	for _, a := range v.answers(p, c) {
		if a.kind == kind {
			f.evidence = told([]Event{a.Event, *kill}, 2)
			got = "fails: " + oneLine(a.text)
			v.deaf(f, a, &got)
		}
	}
	lived := ""
	if !end.Started.IsZero() && end.Finished.After(end.Started) {
		lived = ", the last time " + end.Finished.Sub(end.Started).Round(time.Second).String() + " after its start"
	}
	f.cause = fmt.Sprintf("%s was killed by its %s check %s%s; the check %s.", v.whose(p, c), ready(kind), times(v.ends(p, c)), lived, strings.TrimSuffix(got, "."))
	if f.fix == "" || !strings.Contains(f.fix, "port") {
		f.fix = "Correct the check; if the application only needs longer to start, give it a startupProbe."
	}
	return true
}

// deaf adds what the log says about a check that found nobody listening.
func (v *view) deaf(f *finding, a answer, got *string) {
	port := dialled(a.text)
	if !strings.Contains(a.text, "connection refused") || port == 0 {
		return
	}
	line, other := v.elsewhere(f.log, port)
	switch {
	case line != "" && other != port:
		*got = fmt.Sprintf("asks port %d, and the application listens on %d", port, other)
		f.fix = fmt.Sprintf("Set the port of the check to %d in the chart.", other)
		f.line, f.because = line, "its log names the other port"
	case line != "":
		*got = fmt.Sprintf("asks port %d, on which the application listens for its own pod only", port)
		f.fix = "Have it listen on all addresses of the port instead of 127.0.0.1."
		f.line = line
	default:
		*got = fmt.Sprintf("finds nobody listening on port %d", port)
		f.because = "it may need longer to start than the check allows"
	}
}
