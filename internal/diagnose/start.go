package diagnose

import (
	"regexp"
	"strings"
)

// startErrors are the words of a runtime that cannot start a container's program and never will.
var startErrors = []string{"exec format error", "no such file or directory", "executable file not found", "permission denied", "is a directory", "not a directory"}

var program = regexp.MustCompile(`exec:? "?([^":]+)"?:`)

// start looks at a container whose program the runtime cannot start.
func (v *view) start(p Pod, c Container) *finding {
	var message, reason string
	end := c.end()
	switch {
	case c.Waiting != nil && c.Waiting.Reason == "RunContainerError":
		message, reason = c.Waiting.Message, c.Waiting.Reason
	case end != nil && !c.Running && (end.Reason == "StartError" || end.Reason == "ContainerCannotRun"):
		message, reason = end.Message, end.Reason
	default:
		return nil
	}
	f := &finding{
		code: CodeContainerStart, object: p.Owner, at: p.Scheduled, confidence: certain,
		hopeless: v.ends(p, c) >= 2 || hasAny(strings.ToLower(message), startErrors...),
		evidence: []string{reason + ": " + oneLine(message)},
		waits:    "waits for container " + quote(c.Name) + " to start",
	}
	v.startError(p, c, f, message)
	return f
}

// startError puts into words why the program is not started.
func (v *view) startError(p Pod, c Container, f *finding, message string) {
	text := strings.ToLower(message)
	what := "the program"
	if m := program.FindStringSubmatch(message); m != nil {
		what = quote(m[1])
	}
	who := v.whose(p, c)
	switch {
	case strings.Contains(text, "exec format error"):
		f.code = CodeImageArch
		f.cause = "The program in image " + quote(c.Image) + " of " + who + " is for another CPU than the node's (exec format error)."
		f.fix = "Build the image for the nodes' platform (docker buildx build --platform linux/amd64,linux/arm64); a script needs its #! line."
	case hasAny(text, "no such file or directory", "executable file not found", "not a directory"):
		f.cause = who + " cannot start: " + what + " is not in image " + quote(c.Image) + "."
		f.fix = "Correct command in the chart, or put the program into the image; a script's interpreter and a dynamic program's loader must be there too."
	case hasAny(text, "permission denied", "is a directory"):
		f.cause = who + " cannot start: " + what + " in image " + quote(c.Image) + " may not be executed by the container's user."
		f.fix = "Make the program executable for everybody in the image (chmod 755)."
	default:
		f.confidence = sure
		f.cause = who + " cannot start: " + oneLine(message)
		f.fix = "See what the runtime says in the evidence."
	}
}
