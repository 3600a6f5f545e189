package diagnose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// signature is a kind of last words that tells why a program ended.
type signature struct {
	code       string // "" leaves the code as it is
	words      *regexp.Regexp
	plain      bool // no further try takes it away, and nobody else is the cause
	confidence float64
	say        func(v *view, p Pod, c Container, match string, f *finding) (said, fix string)
}

// text is the signature's words, always the same.
func text(said, fix string) func(*view, Pod, Container, string, *finding) (string, string) {
	return func(*view, Pod, Container, string, *finding) (string, string) { return said, fix }
}

// notPermission is what databases say of rights within them.
var notPermission = regexp.MustCompile(`(?i)permission denied (for|to) (table|schema|relation|database|sequence|function|view|create)|permission denied \(publickey`)

// signatures are looked for in this order within one line.
var signatures = []signature{
	{CodeImageArch, regexp.MustCompile(`(?i)exec format error|cannot execute binary file`), true, sure, text(
		"a program in the image is for another CPU than the node's", "Build the image for the nodes' platform.")},
	{CodeReadOnly, regexp.MustCompile(`(?i)read-only file system|\bEROFS\b|ReadOnlyFileSystem`), true, certain, sayReadOnly},
	{CodePortInUse, regexp.MustCompile(`(?i)address (is )?already in use|\bEADDRINUSE\b|address in use|port \d+ (is|was) already (in use|allocated)|failed to bind to address`), true, certain, sayPortInUse},
	{CodeDiskFull, regexp.MustCompile(`(?i)no space left on device|\bENOSPC\b|disk quota exceeded`), true, sure, text(
		"a volume is full", "Give the volume (emptyDir sizeLimit, claim) more room, or write less.")},
	{CodeOutOfMemory, regexp.MustCompile(`java\.lang\.OutOfMemoryError|JavaScript heap out of memory|std::bad_alloc|(?i:fatal error: out of memory|cannot allocate memory)|\bMemoryError\b`), true, sure, text(
		"it ran out of memory", "Raise the memory that the runtime may use (-Xmx, --max-old-space-size) together with resources.limits.memory.")},
	{CodePermission, regexp.MustCompile(`(?i)permission denied|\bEACCES\b|\bEPERM\b|operation not permitted|PermissionError`), true, sure, sayPermission},
	{CodeSetting, settingWords, true, sure, saySetting},
	{CodeDNS, regexp.MustCompile(`(?i)no such host|\bENOTFOUND\b|\bEAI_AGAIN\b|(temporary failure in|failure in) name resolution|name or service not known|nodename nor servname|could not translate host name|name does not resolve|unknown host|UnknownHostException|could not resolve host|server misbehaving`), false, sure, sayDNS},
	{"", regexp.MustCompile(`(?i)password authentication failed|access denied for user|authentication failed|\bWRONGPASS\b|\bNOAUTH\b`), false, sure, text(
		"something it connects to refuses its credentials", "Check that both sides get the same user and password from the chart.")},
	{"", regexp.MustCompile(`(?i)relation "[^"]+" does not exist|no such table|unknown column|table '[^']+' doesn't exist|UndefinedTable|column "?[\w.]+"? does not exist`), false, sure, text(
		"the database lacks a table or column", "See that the migrations run, and ran, before the application starts.")},
	{CodeDependency, regexp.MustCompile(`(?i)connection refused|\bECONNREFUSED\b|i/o timeout|\bETIMEDOUT\b|(connect|connection|read) timed ?out|could not connect to|can't connect to|cannot (reach|connect to)|failed to connect to|no route to host|\bEHOSTUNREACH\b|network is unreachable|database system is starting up|ServerSelection(Error|Timeout)|context deadline exceeded`), false, sure, sayDependency},
	{"", regexp.MustCompile(`(?i)cannot find module '|ModuleNotFoundError|ClassNotFoundException|NoClassDefFoundError|error while loading shared libraries`), true, sure, text(
		"a part of the program is not in the image", "Build the image with all the application's dependencies.")},
}

// recognise gives the signature of the last line of a log that has one, with the line and the words found.
func recognise(lines []string) (*signature, string, string) {
	for _, line := range slices.Backward(lines) {
		for i := range signatures {
			if m := signatures[i].words.FindString(line); m != "" && (signatures[i].code != CodePermission || !notPermission.MatchString(line)) {
				return &signatures[i], line, m
			}
		}
	}
	return nil, "", ""
}

var absolute = regexp.MustCompile(`(/[\w.@%+-]+)+/?`)

// pathIn is the path that a line of a log is about; "" when there is none.
func pathIn(line string) string {
	for _, m := range absolute.FindAllString(line, -1) {
		if strings.Count(m, "/") >= 1 && !strings.Contains(line, ":/"+m) && len(m) > 1 {
			return m
		}
	}
	return ""
}

func sayReadOnly(_ *view, _ Pod, c Container, _ string, f *finding) (said, fix string) {
	said, fix = "it writes to a file system that is read-only", "Mount an emptyDir where it writes, or have it write elsewhere."
	if path := pathIn(f.line); path != "" {
		said = "it writes to " + quote(path) + ", which is read-only"
		fix = "Mount an emptyDir there, or have it write elsewhere."
	}
	if c.Sealed {
		said += " (readOnlyRootFilesystem is true)"
	}
	return said, fix
}

var portWords = regexp.MustCompile(`(?::|(?i:port)[ :=]*|\()(\d{2,5})\b`)

func portIn(line string) int {
	m := portWords.FindStringSubmatch(line)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > 65535 {
		return 0
	}
	return n
}

func sayPortInUse(_ *view, p Pod, c Container, _ string, f *finding) (said, fix string) {
	said, fix = "the port it listens on is already in use in its pod", "Give each container of the pod, and each server in it, a port of its own."
	port := portIn(f.line)
	if port == 0 {
		return said, fix
	}
	said = "port " + strconv.Itoa(port) + " is already in use in its pod"
	for _, other := range p.Containers {
		if other.Name != c.Name && slices.ContainsFunc(other.Ports, func(x Port) bool { return x.Number == port }) {
			said += " by container " + quote(other.Name)
		}
	}
	return said, fix
}

func sayPermission(_ *view, _ Pod, c Container, _ string, f *finding) (said, fix string) {
	said, fix = "it may not do what it tries", "Do not rely on root: give the container's user the rights it needs in the image (chown, chmod)."
	port := portIn(f.line)
	switch path := pathIn(f.line); {
	case port > 0 && port < 1024 && hasAny(strings.ToLower(f.line), "listen", "bind"):
		said = "it may not listen on port " + strconv.Itoa(port) + ", which is for root"
		fix = "Have it listen on a port from 1024 up; the Service may keep its own port and send there (targetPort)."
	case path != "":
		said = "it may not access " + quote(path)
		fix = "Give the container's user access to it in the image (chown), set fsGroup for a volume, or have it use a directory of its own."
	}
	if c.NonRoot {
		said += "; it does not run as root"
	}
	return said, fix
}

var settingWords = regexp.MustCompile(`(?i:environment variable|env var|variable|setting)s?:? ["'` + "`" + `]?([A-Z][A-Z0-9_]{2,})["'` + "`" + `]? ?(?i:(is |was )?(not set|not found|missing|required|undefined|unset|empty))|` +
	`(?i:missing|required|undefined)(?i: required)?(?i: environment variable| env var| variable| setting)s?:? ["'` + "`" + `]?([A-Z][A-Z0-9_]{2,})|` +
	`\b([A-Z][A-Z0-9]*_[A-Z0-9_]+) (?i:(is |was )?(not set|required|missing|undefined)|must be set)|KeyError: '([A-Z][A-Z0-9_]{2,})'`)

func saySetting(_ *view, _ Pod, _ Container, match string, _ *finding) (said, fix string) {
	m := settingWords.FindStringSubmatch(match)
	for _, name := range m[1:] {
		if name != "" && name == strings.ToUpper(name) {
			return "it wants the setting " + name + ", which it does not get", "Set " + name + " in the container's env in the chart or its values."
		}
	}
	return "it wants a setting that it does not get", "Set it in the container's env in the chart or its values."
}
