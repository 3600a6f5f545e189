package diagnose

import "time"

// Nodes call a container without a readiness check ready as soon as it runs, also one that is about to crash. So it must have run for
// a while: steady, or steadyAgain when the run before ended badly.
const (
	steady      = 4 * time.Second
	steadyAgain = 10 * time.Second
	// reported is how late a node may be to tell that a container runs: one that says it runs for longer does.
	reported = 30 * time.Second
)

// unsteady says what speaks against an object that is called ready: what an object says of itself comes before or after what is known of its
// pods, and nodes call ready what nobody has asked. "" when nothing does.
func (v *view) unsteady() string {
	if v.Over || v.Once {
		return ""
	}
	for _, o := range v.Objects {
		if len(v.pods[o.Ref]) < o.Wanted {
			return v.who(o.Ref) + " waits for its pods to be seen"
		}
		for _, p := range v.pods[o.Ref] {
			if p.Once || p.Phase == "Failed" || p.Phase == "Succeeded" {
				continue
			}
			for _, c := range p.Containers {
				switch {
				case !c.Init && !c.Running && (c.Ended != nil || c.Waiting != nil):
					return v.who(o.Ref) + " waits for container " + quote(c.Name) + ", which does not run now"
				case v.fledgling(c):
					return v.who(o.Ref) + " waits a moment to see whether container " + quote(c.Name) + ", which has no readiness check, stays up"
				}
			}
		}
	}
	return ""
}

// fledgling reports whether a container without a check was not seen running for long. What by the node's clock has run for much longer has
// only just been looked at.
func (v *view) fledgling(c Container) bool {
	if c.Init || !c.Running {
		return false
	}
	for _, p := range c.Probes {
		if p.Kind == "Readiness" || p.Kind == "Startup" {
			return false
		}
	}
	limit := steady
	if end := c.end(); end != nil && end.Code != 0 {
		limit = steadyAgain
	}
	return v.Now.Sub(c.Seen) < limit && v.Now.Sub(c.Started) < reported
}
