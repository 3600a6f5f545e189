package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// crashes is how often a container must have ended badly before it is given up; twice is enough when its log names a cause
	// that no further try takes away.
	crashes, plainCrashes = 3, 2
)

// crash looks at a container that ends and is started again.
func (v *view) crash(p Pod, c Container) *finding {
	end := c.end()
	// While it runs, this may be the run that goes well.
	if end == nil || c.Running || end.Code == 0 && (p.Once || c.Init) {
		return nil
	}
	log := v.log(p, c)
	who := v.whose(p, c)
	f := &finding{
		code: CodeCrashLoop, object: p.Owner, at: end.Finished, tried: end.Finished, soft: true, confidence: sure,
		hopeless: v.ends(p, c) >= crashes && !log.Early, log: log.Lines,
		cause: fmt.Sprintf("%s has ended %s, last with exit code %d%s.", who, times(v.ends(p, c)), end.Code, meaning(end.Code)),
		fix:   "See its last lines; the application ends by itself right after it starts.",
		waits: fmt.Sprintf("waits for container %s, which ended with exit code %d and is tried again", quote(c.Name), end.Code),
	}
	if c.Init {
		f.code = CodeInit
		f.fix = "See its last lines; the other containers of the pod start only after it has ended well."
	}
	if end.Code == 0 {
		f.cause = fmt.Sprintf("%s has ended %s, with exit code 0: its program does not stay.", who, times(v.ends(p, c)))
		f.fix = "Have the program run in the foreground; what is meant to end belongs into a Job."
	}
	switch {
	case end.Reason == "OOMKilled":
		v.memory(p, c, f)
	case v.killed(p, c, f):
	case end.Code == 0 && c.mayBeKilled():
		// A busy node tells late of a check that ended the container, and one that is ended so ends well.
		f.confidence, f.hopeless = 0.6, false
		f.because = "it ended well, and its node tells of no health check that ended it"
	case end.Code == 126, end.Code == 127:
		f.code, f.soft = CodeContainerStart, false
		f.cause = fmt.Sprintf("%s has ended %s, last with exit code %d: its shell finds no such command, or may not run it.", who, times(v.ends(p, c)), end.Code)
		f.fix = "Correct command in the chart, or put the program into the image and make it executable."
	case end.Code == 132:
		f.because = "exit code 132 is an illegal instruction: the program wants a newer CPU, or has a fault of its own"
		f.confidence = 0.6
	case end.Code == 137:
		f.because = "exit code 137 is a kill from outside, and the node tells of no health check and of no lack of memory"
		f.confidence = 0.5
	default:
		v.read(p, c, f)
	}
	return f
}

// mayBeKilled reports whether the container has a check that ends it.
func (c Container) mayBeKilled() bool {
	return slices.ContainsFunc(c.Probes, func(p Probe) bool { return p.Kind == "Liveness" || p.Kind == "Startup" })
}

// ends is how often a container has ended; a Job starts a new pod each time.
func (v *view) ends(p Pod, c Container) int {
	if o := v.byRef[p.Owner]; o != nil && o.Kind == "Job" {
		return max(c.ends(), o.Failures)
	}
	return c.ends()
}

// memory is the finding that a container was killed for its memory.
func (v *view) memory(p Pod, c Container, f *finding) {
	f.code, f.soft, f.confidence = CodeOutOfMemory, false, certain
	limited := ""
	if c.Memory != "" {
		limited = " (" + c.Memory + ")"
	}
	f.cause = fmt.Sprintf("%s was killed %s for using more memory than it may%s.", v.whose(p, c), times(v.ends(p, c)), limited)
	f.fix = "Raise resources.limits.memory in the values, or make the application use less."
}

// exits are the exit codes that mean something by themselves.
var exits = map[int]string{
	130: "interrupted", 132: "illegal instruction", 134: "aborted", 135: "bus error", 136: "arithmetic error", 137: "killed", 139: "segmentation fault", 143: "terminated",
}

func meaning(code int) string {
	if text := exits[code]; text != "" {
		return " (" + text + ")"
	}
	return ""
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// read looks for the cause in the container's last words, and puts it into the finding.
func (v *view) read(p Pod, c Container, f *finding) {
	s, line, match := recognise(f.log)
	if s == nil {
		return
	}
	f.line, f.because = line, "its log says so"
	if s.code != "" && (f.code == CodeCrashLoop || f.code == CodeInit) {
		f.code = s.code
	}
	f.soft, f.confidence = !s.plain, s.confidence
	said, fix := s.say(v, p, c, match, f)
	f.hopeless = v.ends(p, c) >= crashes || !f.soft && v.ends(p, c) >= plainCrashes
	f.cause = strings.TrimSuffix(f.cause, ".") + ": " + said + "."
	if fix != "" {
		f.fix = fix
	}
}
