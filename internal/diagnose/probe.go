package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settled is how long a program must have said nothing new before its health check's answer counts as its last word.
const settled = 10 * time.Second

// answer is what a health check last got.
type answer struct {
	Event
	kind   string // Liveness, Readiness or Startup
	status int    // of HTTP; 0 for other answers
	text   string
}

var (
	unhealthy = regexp.MustCompile(`(?s)^(Liveness|Readiness|Startup) probe (?:failed|errored[^:]*): (.*)$`)
	// ofKubelet is what the node itself says of a check. Anything else was written by the command that the check runs: it is output of the
	// container like its log, and not shown where its log is not.
	ofKubelet  = regexp.MustCompile(`^(HTTP probe failed with statuscode: \d{3}|Get "|dial |timeout: |service unhealthy |rpc error: |error: |command timed out|command ".*" timed out|port "|invalid port |strconv\.|Probe terminated redirects|parse ".*": )`)
	statusCode = regexp.MustCompile(`statuscode: (\d{3})`)
)

// answers are what a container's health checks got, the newest last.
func (v *view) answers(p Pod, c Container) []answer {
	var found []answer
	for _, e := range v.podEvents(p) {
		m := unhealthy.FindStringSubmatch(e.Message)
		if e.Reason != "Unhealthy" || e.Container != c.Name || m == nil {
			continue
		}
		a := answer{Event: e, kind: m[1], text: m[2]}
		if code := statusCode.FindStringSubmatch(m[2]); code != nil {
			a.status, _ = strconv.Atoi(code[1]) // three digits
		}
		found = append(found, a)
	}
	return found
}

// shown is an event's message as evidence: without what a check's command wrote.
func shown(e Event) string {
	if m := unhealthy.FindStringSubmatchIndex(e.Message); e.Reason == "Unhealthy" && m != nil && !ofKubelet.MatchString(e.Message[m[4]:]) {
		return oneLine(e.Message[:m[4]]) + " its command ended with an error"
	}
	return oneLine(e.Message)
}

// probe looks at a container that runs and is not ready.
func (v *view) probe(p Pod, c Container) *finding {
	if !c.Running || c.Ready || c.Init {
		return nil
	}
	who := v.whose(p, c)
	found := v.answers(p, c)
	f := &finding{
		code: CodeProbe, object: p.Owner, soft: true, confidence: 0.6,
		cause: who + " runs and is not ready.",
		fix:   "See its log; if it only needs longer to start, raise the limit.",
		waits: "waits for container " + quote(c.Name) + ", which runs but is not ready",
	}
	if len(found) == 0 {
		return nil // its checks have not begun
	}
	last := found[len(found)-1]
	f.at, f.evidence = last.First, told([]Event{last.Event}, 1)
	log := v.liveLog(p, c)
	f.log = log.Lines
	quiet := !log.None && log.ReadAt.Sub(log.Last) >= settled && v.Now.Sub(c.Started) >= settled
	if len(log.Lines) == 0 {
		quiet = false
	}
	check := ready(last.kind) + " check"
	text := strings.ToLower(last.text)
	switch {
	case hasAny(text, "executable file not found", `exec: "`, "stat /"):
		f.hopeless, f.soft, f.confidence = true, false, certain
		f.cause = fmt.Sprintf("The %s of %s runs a command that is not in image %s.", check, who, quote(c.Image))
		f.fix = "Correct the check's command in the chart, or check over HTTP instead."
	case strings.HasPrefix(text, `port "`) && strings.HasSuffix(text, "not found"), strings.Contains(text, "invalid port number"):
		f.hopeless, f.soft, f.confidence = true, false, certain
		f.cause = fmt.Sprintf("The %s of %s asks a port that the container does not have: %s.", check, who, oneLine(last.text))
		f.fix = "Name one of the container's ports in the check."
	case hasAny(text, "server gave http response to https client", "malformed http", "first record does not look like a tls", "tls: "):
		f.hopeless, f.soft, f.confidence = last.Count >= 3, false, certain
		f.cause = fmt.Sprintf("The %s of %s and the application do not speak the same protocol (HTTP, HTTPS): %s.", check, who, oneLine(last.text))
		f.fix = "Set scheme: HTTP or HTTPS in the check, as the application speaks on that port."
	case last.status >= 400 && last.status < 500 && last.status != 408 && last.status != 425 && last.status != 429:
		v.refusedCheck(p, c, f, last, quiet)
	case last.status >= 500:
		f.because = "it answers its health check, and with an error"
		f.confidence = sure
		f.cause = fmt.Sprintf("The %s of %s answers %d: the application says itself that it is not well.", check, who, last.status)
		f.fix = "See in its log what it waits for; the check's own answer often says more."
		f.waits = fmt.Sprintf("waits for container %s, whose %s answers %d", quote(c.Name), check, last.status)
	case strings.Contains(text, "connection refused"):
		v.closedPort(p, c, f, last, quiet)
	case hasAny(text, "timeout", "deadline exceeded"):
		f.cause = fmt.Sprintf("The %s of %s gets no answer in time.", check, who)
		f.because = "the connection is taken and nothing comes back"
		f.fix = "See whether it hangs or has too little CPU; else raise timeoutSeconds of the check."
		f.waits = fmt.Sprintf("waits for container %s, whose %s gets no answer in time", quote(c.Name), check)
	case ofKubelet.MatchString(last.text):
		f.cause = fmt.Sprintf("The %s of %s fails: %s", check, who, oneLine(last.text))
		f.confidence = sure
	default:
		f.cause = fmt.Sprintf("The %s of %s fails: the command that it runs ends with an error.", check, who)
		f.confidence, f.line = sure, oneLine(last.text)
	}
	return f
}

// ready is a check's kind within a sentence.
func ready(kind string) string { return strings.ToLower(kind) }

// refusedCheck is about an application that answers that there is no such page, or not for anybody. It may still be loading;
// it has come to its end when it says that it is up and says nothing more.
func (v *view) refusedCheck(p Pod, c Container, f *finding, last answer, quiet bool) {
	path := ""
	for _, probe := range c.Probes {
		if probe.Kind == last.kind {
			path = probe.Path
		}
	}
	f.confidence = sure
	f.cause = fmt.Sprintf("The %s check of %s asks for %s, and the application answers %d.", ready(last.kind), v.whose(p, c), quote(path), last.status)
	f.fix = "Correct the path of the check in the chart, or have the application answer it."
	if last.status == 401 || last.status == 403 {
		f.fix = "Have the application answer the check's path without a login, or check another path."
	}
	f.waits = fmt.Sprintf("waits for container %s, whose %s check answers %d", quote(c.Name), ready(last.kind), last.status)
	if line, _ := up(f.log); line != "" {
		f.line = line
		f.because = "it says that it is up, and has said nothing since"
		f.hopeless = quiet && last.Count >= 3
		f.soft = !f.hopeless
	}
}

// closedPort is about a port nobody listens on: not yet, on the wrong one, or not for others.
func (v *view) closedPort(p Pod, c Container, f *finding, last answer, quiet bool) {
	port := dialled(last.text)
	for _, probe := range c.Probes {
		if probe.Kind == last.kind && port == 0 {
			port = probe.Port.Number
		}
	}
	who := v.whose(p, c)
	f.cause = fmt.Sprintf("Nothing listens on port %d of %s, which its %s check asks.", port, who, ready(last.kind))
	f.because = "the connection is refused"
	f.fix = "See in its log whether it is still starting (then raise the limit), hangs, or listens elsewhere."
	f.waits = fmt.Sprintf("waits for container %s to listen on port %d", quote(c.Name), port)
	f.confidence = 0.6
	if v.Over && quiet {
		f.because += " and it has said nothing for " + v.silence(p, c)
	}
	line, other := v.elsewhere(f.log, port)
	switch {
	case line == "":
	case other == port:
		f.code, f.line, f.confidence, f.hopeless, f.soft = CodePort, line, certain, quiet && last.Count >= 3, false
		f.cause = fmt.Sprintf("%s listens on port %d for its own pod only, so nobody else reaches it.", who, port)
		f.because = "it says that it listens on the loopback address"
		f.fix = "Have it listen on all addresses (0.0.0.0 or ::) instead of 127.0.0.1 or localhost."
	default:
		f.code, f.line, f.confidence, f.soft = CodePort, line, sure, false
		// The line may be of a server beside the one that is still coming: it is the last word only where the chart says so, too.
		f.hopeless = quiet && last.Count >= 3 && declares(c, other) && !declares(c, port)
		f.cause = fmt.Sprintf("%s listens on port %d, and its %s check asks port %d.", who, other, ready(last.kind), port)
		f.because = "its log names the other port"
		f.fix = fmt.Sprintf("Set the port of the check, the container and the Service to %d in the chart, or have the application listen on %d.", other, port)
	}
}

// declares reports whether the chart says that the container listens on the port.
func declares(c Container, port int) bool {
	return slices.ContainsFunc(c.Ports, func(p Port) bool { return p.Number == port })
}

func (v *view) silence(p Pod, c Container) string {
	return v.Now.Sub(v.liveLog(p, c).Last).Round(time.Second).String()
}

var dialPort = regexp.MustCompile(`dial tcp [^ ]*:(\d+):`)

// dialled is the port that a check's answer names.
func dialled(text string) int {
	if m := dialPort.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err == nil && n <= 65535 {
			return n
		}
	}
	return 0
}
