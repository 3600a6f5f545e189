package lab

import (
	"fmt"
	"time"
)

// Never returns what happened and must never happen: a write into a namespace that is not a preview's of this lab (I5), two
// replicas writing into one namespace at the same time (I3), and a write of a replica that was dead.
func (l *Lab) Never() []string {
	l.mu.Lock()
	ended := map[string]time.Time{}
	for _, r := range l.replicas {
		ended[r.Name] = r.ended
	}
	ours := map[string]bool{}
	for _, p := range l.pulls {
		ours[fmt.Sprintf("pr-%s-%d", l.Name, p.Number())] = true
	}
	l.mu.Unlock()
	var wrong []string
	last := map[string]Write{} // by namespace: the write that ended last
	for _, w := range l.Writes() {
		if at := ended[w.Replica]; !at.IsZero() && w.Start.After(at) {
			wrong = append(wrong, fmt.Sprintf("%s was dead and wrote: %s", w.Replica, w.Effect))
		}
		if w.Hub {
			continue
		}
		if !ours[w.Namespace] {
			wrong = append(wrong, fmt.Sprintf("I5: %s wrote to %q, which is no preview's: %s", w.Replica, w.Namespace, w.Effect))
		}
		before, known := last[w.Namespace]
		if known && before.Replica != w.Replica && before.End.After(w.Start) {
			wrong = append(wrong, fmt.Sprintf("I3: %s wrote to %s (%s) while %s did (%s)", w.Replica, w.Namespace, w.Effect, before.Replica, before.Effect))
		}
		if !known || w.End.After(before.End) {
			last[w.Namespace] = w
		}
	}
	return wrong
}

// Writes returns what the replicas wrote, by when it began.
func (l *Lab) Writes() []Write { return l.record.list() }
