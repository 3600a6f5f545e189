package diagnose

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// configGrace is how long a container may refer to a Secret or ConfigMap that is not there: operators make some from other
	// objects a little later.
	configGrace = 6 * time.Second
	// operatorGrace is how long when there are such objects in the release.
	operatorGrace = 60 * time.Second
)

var (
	noObject = regexp.MustCompile(`(?i)(secret|configmap|persistentvolumeclaim) "([^"]+)" not found`)
	noKey    = regexp.MustCompile(`(?i)couldn't find key (\S+) in (Secret|ConfigMap) \S+?/(\S+)`)
	noItem   = regexp.MustCompile(`references non-existent (secret|config) key: (\S+)`)
	noVolume = regexp.MustCompile(`volume "([^"]+)"`)
)

// lack is what a message says is not there.
type lack struct {
	text string // in words; "" when the message says no such thing
	Sought
}

// lacks reads what a message says is not there.
func lacks(message string) lack {
	if m := noKey.FindStringSubmatch(message); m != nil {
		return lack{"key " + quote(m[1]) + " of " + m[2] + " " + quote(m[3]), Sought{Ref{m[2], m[3]}, m[1]}}
	}
	if m := noItem.FindStringSubmatch(message); m != nil {
		kind := map[string]string{"secret": "Secret", "config": "ConfigMap"}[m[1]]
		if volume := noVolume.FindStringSubmatch(message); volume != nil {
			return lack{text: "key " + quote(m[2]) + " of the " + kind + " in volume " + quote(volume[1])}
		}
		return lack{text: "key " + quote(m[2]) + " of a " + kind}
	}
	if m := noObject.FindStringSubmatch(message); m != nil {
		kind := map[string]string{"secret": "Secret", "configmap": "ConfigMap", "persistentvolumeclaim": "PersistentVolumeClaim"}[strings.ToLower(m[1])]
		l := lack{text: kind + " " + quote(m[2])}
		if kind != "PersistentVolumeClaim" {
			l.Sought = Sought{Ref: Ref{kind, m[2]}}
		}
		return l
	}
	return lack{}
}

// lacking is the finding that something a pod refers to is not there. It is believed after a while, and when it is still so then.
func (v *view) lacking(p Pod, user string, what lack, line string) *finding {
	grace := configGrace
	if slices.ContainsFunc(v.Objects, func(o Object) bool { return o.Custom }) {
		grace = operatorGrace
	}
	f := &finding{
		code: CodeContainerConfig, object: p.Owner, at: p.Scheduled, confidence: certain, soft: true,
		hopeless: v.Now.Sub(p.Scheduled) >= grace,
		cause:    user + " cannot start: " + what.text + " does not exist.",
		fix:      "Have the chart make it, or correct the reference to it.",
		evidence: []string{line}, waits: "waits for " + what.text + ", which does not exist",
	}
	if f.hopeless && v.there(what.Sought) {
		f.hopeless, f.confidence = false, sure
		f.cause = user + " has not started yet: " + what.text + " came late, and its node has not looked again."
		f.fix = "Deploy again."
		f.waits = "waits for its node to see " + what.text + ", which exists by now"
	}
	return f
}

// config looks at a container that cannot be made from what its pod says.
func (v *view) config(p Pod, c Container) *finding {
	w := c.Waiting
	if w == nil || w.Reason != "CreateContainerConfigError" && w.Reason != "CreateContainerError" {
		return nil
	}
	line := w.Reason + ": " + oneLine(w.Message)
	text := strings.ToLower(w.Message)
	who := v.whose(p, c)
	if what := lacks(w.Message); what.text != "" {
		return v.lacking(p, who, what, line)
	}
	f := &finding{code: CodeContainerConfig, object: p.Owner, at: p.Scheduled, confidence: certain, hopeless: true, evidence: []string{line}}
	switch {
	case strings.Contains(text, "runasnonroot"):
		f.code = CodeRunAsRoot
		f.cause = who + " must not run as root, and its image does."
		f.fix = "Build the image with a numeric USER other than 0, or set securityContext.runAsUser in the chart."
		if strings.Contains(text, "non-numeric user") {
			f.cause = who + " must not run as root, and its image names its user by a word, which the node cannot check."
		}
	case strings.Contains(text, "no command specified"):
		f.code = CodeContainerStart
		f.cause = "The image of " + who + " names no program to run, and the chart gives no command."
		f.fix = "Give the image an ENTRYPOINT or CMD, or set command in the chart."
	case strings.Contains(text, "subpath"):
		f.code = CodeVolumeMount
		f.cause = "A subPath of a volume of " + who + " cannot be mounted: " + oneLine(w.Message) + "."
		f.fix = "Correct subPath in the chart."
	case hasAny(text, startErrors...):
		f.code = CodeContainerStart
		v.startError(p, c, f, w.Message)
	default:
		// Time-outs of the runtime, names still reserved by a container that is being removed: these pass.
		f.hopeless, f.confidence = false, sure
		f.cause = who + " cannot be made: " + oneLine(w.Message)
		f.fix = "See what the node says in the evidence."
		f.waits = "waits for container " + quote(c.Name) + " to be made: " + oneLine(w.Message)
	}
	return f
}
