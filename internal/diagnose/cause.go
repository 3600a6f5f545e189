package diagnose

import (
	"slices"
	"strings"
	"time"
)

// findings asks the rules about every object that is not ready.
func (v *view) findings() []finding {
	var all []finding
	for _, o := range v.Objects {
		if o.Ready {
			continue
		}
		found := v.creation(o)
		for _, p := range v.pods[o.Ref] {
			found = append(found, v.pod(p)...)
		}
		found = append(found, v.claim(o)...)
		if own := v.job(o, found); len(own) > 0 {
			// How its containers ended is what the Job's own failure says.
			found = append(slices.DeleteFunc(found, func(f finding) bool { return endings[f.code] }), own...)
		}
		found = append(found, v.custom(o)...)
		found = append(found, v.rollout(o, found)...)
		all = append(all, found...)
	}
	all = append(all, v.routes(all)...)
	all = append(all, v.hook(all)...)
	return distinct(all)
}

// causes are the findings that are nobody's consequence, the first cause first.
func (v *view) causes(all []finding) []finding {
	graph := v.dependencies(all)
	bad := map[Ref]bool{}
	for _, f := range all {
		bad[f.object] = true
	}
	var causes []finding
	for _, f := range all {
		if f.soft {
			if slices.ContainsFunc(all, func(other finding) bool { return explains(graph, other, f) }) {
				continue
			}
			f = v.patient(graph, f, bad)
		}
		causes = append(causes, f)
	}
	slices.SortStableFunc(causes, rank)
	return causes
}

// explains reports whether one finding is why there is the other: it is about something that the other's object needs. Of two that
// need each other neither explains the other, unless one is no consequence of anything.
func explains(graph map[Ref]map[Ref]bool, one, other finding) bool {
	if one.object == other.object || !graph[other.object][one.object] {
		return false
	}
	return !one.soft || !graph[one.object][other.object]
}

// unnamedPatience is how long an application that ends again and again is given while something that it does not name is starting.
const unnamedPatience = 90 * time.Second

// reached is how long it may take until what is ready can be reached under its Service's name.
const reached = 10 * time.Second

// patient takes the hopelessness out of a finding that may heal: what its object needs is not there yet, or came after the last try.
func (v *view) patient(graph map[Ref]map[Ref]bool, f finding, bad map[Ref]bool) finding {
	if !f.hopeless || v.Over {
		return f
	}
	asks := f.code == CodeDependency || f.code == CodeDNS // it says itself that it waits for somebody
	for _, o := range v.Objects {
		if o.Ref == f.object {
			continue
		}
		needed := graph[f.object][o.Ref]
		starts := !o.Ready && !bad[o.Ref] && (o.Wanted > 0 || o.Kind == "Job" || o.Custom)
		switch {
		case !o.Ready && needed, starts && (asks || v.Now.Sub(v.Began) < unnamedPatience):
			f.hopeless, f.waits = false, "tries again; "+o.String()+", which it may need, is not ready yet"
			return f
		case o.Ready && !f.tried.IsZero() && v.readyAt(o.Ref).Add(reached).After(f.tried):
			f.hopeless, f.waits = false, "tries again, now that "+o.String()+" is ready"
			return f
		}
	}
	return f
}

// readyAt is when the last of an object's pods became ready.
func (v *view) readyAt(r Ref) time.Time {
	var last time.Time
	for _, p := range v.pods[r] {
		if p.ReadyAt.After(last) {
			last = p.ReadyAt
		}
	}
	return last
}

// dependencies says for each object which others it needs to become ready, directly or by way of others.
func (v *view) dependencies(all []finding) map[Ref]map[Ref]bool {
	graph := map[Ref]map[Ref]bool{}
	need := func(a, b Ref) {
		if a == b || v.byRef[b] == nil {
			return
		}
		if graph[a] == nil {
			graph[a] = map[Ref]bool{}
		}
		graph[a][b] = true
	}
	for _, p := range v.Pods {
		for _, name := range p.Claims {
			need(p.Owner, Ref{"PersistentVolumeClaim", name})
		}
		for _, o := range v.Objects {
			if slices.ContainsFunc(o.Makes, func(s string) bool { return slices.Contains(p.Secrets, s) }) {
				need(p.Owner, o.Ref)
			}
		}
		for _, c := range p.Containers {
			for _, name := range c.Names {
				v.needNamed(need, p.Owner, name)
			}
		}
	}
	for _, f := range all {
		for _, host := range f.hosts {
			v.needNamed(need, f.object, host)
		}
	}
	for _, o := range v.Objects {
		// A Job of the release that fails is most often what prepares the ground for the rest: a migration.
		for _, job := range v.Objects {
			troubled := job.Failed || slices.ContainsFunc(all, func(f finding) bool { return f.object == job.Ref })
			if job.Kind == "Job" && troubled && o.Kind != "Job" {
				need(o.Ref, job.Ref)
			}
		}
	}
	return closed(graph)
}

// needNamed adds what a host name within the release stands for: the Service, and the objects whose pods it selects.
func (v *view) needNamed(need func(a, b Ref), from Ref, name string) {
	name, _, _ = strings.Cut(name, ".")
	for _, o := range v.Objects {
		if o.Name == name {
			need(from, o.Ref)
		}
		if o.Service == nil || o.Name != name {
			continue
		}
		for _, target := range v.Objects {
			if selects(o.Service.Selector, target.Labels) {
				need(from, target.Ref)
			}
		}
	}
}

// closed adds what is needed by way of others.
func closed(graph map[Ref]map[Ref]bool) map[Ref]map[Ref]bool {
	full := map[Ref]map[Ref]bool{}
	for start := range graph {
		full[start] = map[Ref]bool{}
		queue := []Ref{start}
		for len(queue) > 0 {
			for next := range graph[queue[0]] {
				if next != start && !full[start][next] {
					full[start][next] = true
					queue = append(queue, next)
				}
			}
			queue = queue[1:]
		}
	}
	return full
}

// selects reports whether a selector, which must say something, chooses the labels.
func selects(selector, labels map[string]string) bool {
	if len(selector) == 0 {
		return false
	}
	for k, want := range selector {
		if got, ok := labels[k]; !ok || got != want {
			return false
		}
	}
	return true
}

// fine reports whether everything is ready and nothing found speaks against it.
func (v *view) fine(causes []finding) bool {
	return len(causes) == 0 && !slices.ContainsFunc(v.Objects, func(o Object) bool { return !o.Ready })
}
