package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// firstLook is how long a release may be on its way before its events are worth reading without any other sign.
const firstLook = 3 * time.Second

// view is an observation put in order, so that everything that follows is the same whatever order it was told in.
type view struct {
	Observed
	byRef  map[Ref]*Object
	pods   map[Ref][]Pod // by owner; those being deleted left out
	wanted map[LogRef]bool
	sought []Sought
}

func newView(o Observed) *view {
	o.Objects, o.Pods, o.Events, o.Logs = slices.Clone(o.Objects), slices.Clone(o.Pods), slices.Clone(o.Events), slices.Clone(o.Logs)
	slices.SortStableFunc(o.Objects, func(a, b Object) int { return compareRefs(a.Ref, b.Ref) })
	slices.SortStableFunc(o.Pods, func(a, b Pod) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.UID, b.UID)) })
	slices.SortStableFunc(o.Events, func(a, b Event) int {
		return cmp.Or(a.Last.Compare(b.Last), compareRefs(a.Ref, b.Ref), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message), cmp.Compare(a.Count, b.Count))
	})
	slices.SortStableFunc(o.Logs, func(a, b Log) int { return a.ReadAt.Compare(b.ReadAt) })
	v := &view{Observed: o, byRef: map[Ref]*Object{}, pods: map[Ref][]Pod{}, wanted: map[LogRef]bool{}}
	for i := range v.Objects {
		v.byRef[v.Objects[i].Ref] = &v.Objects[i]
	}
	for _, p := range v.Pods {
		if !p.Deleting && p.Owner != (Ref{}) {
			v.pods[p.Owner] = append(v.pods[p.Owner], p)
		}
	}
	return v
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}

// who names an object of the release within a sentence.
func (v *view) who(r Ref) string {
	if v.Hook != nil && v.Hook.Ref == r {
		return "the " + v.Hook.Event + " hook " + r.String()
	}
	return r.String()
}

// whose names a container within a sentence.
func (v *view) whose(p Pod, c Container) string {
	kind := "container"
	if c.Init {
		kind = "init container"
	}
	return kind + " " + quote(c.Name) + " of " + v.who(p.Owner)
}

// eventsOf are the events about an object, the oldest first. UID tells it from one of the same name before it.
func (v *view) eventsOf(r Ref, uid string) []Event {
	var found []Event
	for _, e := range v.Events {
		if e.Ref == r && (uid == "" || e.UID == "" || e.UID == uid) {
			found = append(found, e)
		}
	}
	return found
}

// fresh are those of an object's events that are about the present wait: the object may be older than it. Clocks differ a little.
func (v *view) fresh(o Object) []Event {
	const skew = 2 * time.Second
	return slices.DeleteFunc(v.eventsOf(o.Ref, o.UID), func(e Event) bool { return e.Last.Before(v.Began.Add(-skew)) })
}

// podEvents are the events about a pod.
func (v *view) podEvents(p Pod) []Event { return v.eventsOf(Ref{"Pod", p.Name}, p.UID) }

// log is the end of a container's log, of its last run that ended when it has ended. It asks for one that it does not have.
func (v *view) log(p Pod, c Container) Log {
	ref := LogRef{Pod: p.Name, Container: c.Name, Restarts: c.Restarts, Previous: c.Running && c.Last != nil}
	for _, l := range slices.Backward(v.Logs) {
		if l.LogRef == ref {
			// Read while it still ran, it may lack the last words.
			if end := c.end(); !c.Running && end != nil && end.Finished.Before(v.Now.Add(skew)) && l.ReadAt.Before(end.Finished.Add(whole)) {
				l.Early = true
				if !v.Now.Before(end.Finished.Add(whole)) {
					v.wanted[ref] = true
				}
			}
			return l
		}
	}
	v.wanted[ref] = true
	return Log{LogRef: ref, None: true}
}

// whole is how long after its end a container's log is sure to be written whole. Ends are told in whole seconds, by the node's clock.
const whole = 2 * time.Second

// skew is how far a node's clock may be ahead and still be believed.
const skew = 10 * time.Second

// liveLog is the end of the log of a container that runs. One that is not fresh any more is asked for again and taken all the same.
func (v *view) liveLog(p Pod, c Container) Log {
	const fresh = 5 * time.Second
	ref := LogRef{Pod: p.Name, Container: c.Name, Restarts: c.Restarts}
	for _, l := range slices.Backward(v.Logs) {
		if l.LogRef == ref {
			// Whether a program has gone quiet is asked as soon as it can be known.
			if v.Now.Sub(l.ReadAt) > fresh || l.ReadAt.Sub(l.Last) < settled && v.Now.Sub(l.Last) >= settled {
				v.wanted[ref] = true
			}
			return l
		}
	}
	v.wanted[ref] = true
	return Log{LogRef: ref, None: true}
}

func (v *view) wants() []LogRef {
	var wants []LogRef
	for ref := range v.wanted {
		wants = append(wants, ref)
	}
	slices.SortFunc(wants, func(a, b LogRef) int {
		return cmp.Or(strings.Compare(a.Pod, b.Pod), strings.Compare(a.Container, b.Container), cmp.Compare(a.Restarts, b.Restarts))
	})
	return wants
}

// open reports whether there is an object that is not ready and about which nothing was found.
func (v *view) open(causes []finding) bool {
	return slices.ContainsFunc(v.Objects, func(o Object) bool {
		return !o.Ready && !slices.ContainsFunc(causes, func(f finding) bool { return f.object == o.Ref })
	})
}

// there reports whether something that is missing, as its node says, has come in the meantime, and has it sought.
func (v *view) there(s Sought) bool {
	if slices.Contains(v.Found, s) {
		return true
	}
	if s.Name != "" && !slices.Contains(v.sought, s) {
		v.sought = append(v.sought, s)
	}
	return false
}

// suspects reports whether the events are worth looking at: something has visibly failed, or it takes a while.
func (v *view) suspects() bool {
	if v.Over || v.Now.Sub(v.Began) > firstLook {
		return true
	}
	for _, p := range v.Pods {
		for _, c := range p.Containers {
			if c.Waiting != nil && c.Waiting.Message != "" || c.end() != nil && c.end().Code != 0 {
				return true
			}
		}
		if p.NoNode != nil || p.Phase == "Failed" {
			return true
		}
	}
	return false
}
