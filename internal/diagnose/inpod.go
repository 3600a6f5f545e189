package diagnose

import (
	"slices"
	"strings"
)

// pod looks at one pod of an object that is not ready.
func (v *view) pod(p Pod) []finding {
	var found []finding
	add := func(f *finding) {
		if f != nil && f.code != "" {
			found = append(found, *f)
		}
	}
	switch {
	case p.Phase == "Failed" && p.Reason != "" && p.Reason != "DeadlineExceeded":
		add(v.thrownOff(p))
		return found
	case p.Phase == "Succeeded":
		return nil
	case p.NoNode != nil:
		add(v.noNode(p))
		return found
	}
	for _, c := range p.Containers {
		f := v.container(p, c)
		add(f)
		if c.Init && f != nil {
			return found // the others wait for it
		}
	}
	if len(found) == 0 {
		add(v.mounts(p))
		add(v.sandbox(p))
	}
	return found
}

// container looks at one container: what keeps it from starting, then from staying, then from answering.
func (v *view) container(p Pod, c Container) *finding {
	for _, rule := range []func(Pod, Container) *finding{v.image, v.config, v.start, v.crash, v.probe} {
		if f := rule(p, c); f != nil && f.code != "" {
			return f
		}
	}
	return nil
}

// thrownOff is about a pod that the node ended as a whole.
func (v *view) thrownOff(p Pod) *finding {
	again := 0
	for _, other := range v.pods[p.Owner] {
		if other.Reason == p.Reason {
			again++
		}
	}
	f := &finding{
		code: CodeNode, object: p.Owner, at: p.Created, confidence: sure, hopeless: again >= crashes,
		cause:    "The node ended pod " + quote(p.Name) + " of " + v.who(p.Owner) + " (" + p.Reason + "): " + oneLine(p.Message),
		fix:      "See what the node says; deploy again when it has recovered.",
		evidence: []string{p.Reason + ": " + oneLine(p.Message)},
		waits:    "waits for a pod in place of one that the node ended (" + p.Reason + ")",
	}
	if p.Reason != "Evicted" {
		return f
	}
	f.code = CodeEvicted
	f.cause = "Pod " + quote(p.Name) + " of " + v.who(p.Owner) + " was thrown off its node: " + oneLine(p.Message)
	text := strings.ToLower(p.Message)
	if hasAny(text, "exceeds", "limit") && hasAny(text, "ephemeral", "emptydir", "local storage") {
		f.hopeless, f.confidence = true, certain // it takes a node a minute to see it, and its own limit does not move
		f.fix = "Have it write less to its own file system, or raise the limit for ephemeral-storage or the emptyDir's sizeLimit."
	} else {
		f.blame = "cluster"
		f.fix = "The node ran short of something; ask the cluster's operator, and deploy again."
	}
	return f
}

// sandbox is about a node that cannot prepare a pod.
func (v *view) sandbox(p Pod) *finding {
	for _, e := range slices.Backward(v.podEvents(p)) {
		if e.Reason == "FailedCreatePodSandBox" || e.Reason == "NetworkNotReady" {
			return &finding{
				code: CodeNode, object: p.Owner, at: e.First, confidence: sure,
				cause:    "The node cannot prepare pod " + quote(p.Name) + " of " + v.who(p.Owner) + ": " + oneLine(e.Message),
				fix:      "Ask the cluster's operator: the node's network or container runtime is in trouble.",
				evidence: told([]Event{e}, 1), waits: "waits for its node to prepare pod " + quote(p.Name),
			}
		}
	}
	return nil
}
