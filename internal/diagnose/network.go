package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	hostBefore = regexp.MustCompile(`(?i)lookup ([\w.-]+)|(?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)|host name "([\w.-]+)"|resolve host:? '?"?([\w.-]+)|UnknownHostException: ([\w.-]+)|unknown host:? '?"?([\w.-]+)`)
	hostAfter  = regexp.MustCompile(`(?i)([\w.-]+): (?:no such host|name or service not known|name does not resolve|temporary failure in name resolution)`)
	hostPort   = regexp.MustCompile(`\b([A-Za-z][\w.-]*|\d+\.\d+\.\d+\.\d+):(\d{2,5})\b`)
	onHost     = regexp.MustCompile(`(?i)(?:host|server at|connect to|reach) "?'?([a-z][a-z0-9-]*(?:\.[\w.-]+)?)`)
)

func first(m []string) string {
	if m == nil {
		return ""
	}
	for _, s := range m[1:] {
		if s != "" {
			return strings.TrimRight(s, ".")
		}
	}
	return ""
}

// services are the names of the release's Services.
func (v *view) services() []string {
	var names []string
	for _, o := range v.Objects {
		if o.Service != nil {
			names = append(names, o.Name)
		}
	}
	return names
}

// nameServer are the words of a name server that does not answer, rather than one that knows no such name.
var nameServer = []string{"eai_again", "temporary failure", "server misbehaving", "i/o timeout"}

// sayDNS is about a host name that is not found. A short one that is no Service of the release is a mistake that stays.
func sayDNS(v *view, _ Pod, _ Container, _ string, f *finding) (said, fix string) {
	host := first(hostBefore.FindStringSubmatch(f.line))
	if host == "" {
		host = first(hostAfter.FindStringSubmatch(f.line))
	}
	if host == "" {
		return "it looks for a host name that is not found", "Correct the host name in the application's settings."
	}
	said = "it looks for host " + quote(host) + ", which is not found"
	fix = "Correct the host name in the application's settings."
	services := v.services()
	short, _, _ := strings.Cut(host, ".")
	switch {
	case slices.Contains(services, short):
		f.hosts = append(f.hosts, short)
		if hasAny(strings.ToLower(f.line), nameServer...) {
			return "the cluster's name server did not answer for host " + quote(host), "Try again; if it stays so, the cluster's name server is in trouble."
		}
	case !strings.Contains(host, ".") && !slices.ContainsFunc(v.Objects, func(o Object) bool { return o.Custom }):
		f.soft, f.confidence = false, certain
		said = "it looks for host " + quote(host) + ", and no Service of that name exists"
		if len(services) > 0 {
			said += "; the release has " + list(services)
			fix = "Use the name of the Service that is meant in the application's settings, or have the chart make " + quote(host) + "."
		}
	}
	return said, fix
}

// sayDependency is about something that does not answer, or not there.
func sayDependency(v *view, p Pod, _ Container, _ string, f *finding) (said, fix string) {
	refused := hasAny(strings.ToLower(f.line), "refused")
	verb := "does not answer"
	if refused {
		verb = "refuses the connection"
	}
	fix = "See that what it connects to runs and listens there; have the application wait for it rather than end."
	host, port := "", 0
	for _, m := range hostPort.FindAllStringSubmatch(f.line, -1) {
		if n, err := strconv.Atoi(m[2]); err == nil && n <= 65535 && (host == "" || v.byRef[Ref{"Service", m[1]}] != nil) {
			host, port = m[1], n
		}
	}
	if host == "" {
		if host = first(onHost.FindStringSubmatch(f.line)); host == "" {
			return "something it connects to " + verb, fix
		}
		f.hosts = append(f.hosts, host)
		return host + ", which it connects to, " + verb, fix
	}
	short, _, _ := strings.Cut(host, ".")
	f.hosts = append(f.hosts, short)
	said = fmt.Sprintf("%s:%d, which it connects to, %s", host, port, verb)
	switch {
	case host == "localhost" || strings.HasPrefix(host, "127."):
		said += "; that is its own pod"
		fix = "Name the Service of what it connects to in the application's settings instead of " + host + "."
		f.soft, f.hosts = len(p.Containers) > 1, nil
	case v.byRef[Ref{"Service", short}] != nil && v.byRef[Ref{"Service", short}].Service != nil:
		if s := v.byRef[Ref{"Service", short}].Service; !slices.ContainsFunc(s.Ports, func(x ServicePort) bool { return x.Port == port }) && len(s.Ports) > 0 {
			f.soft, f.confidence = false, certain
			said += fmt.Sprintf("; Service %s has no port %d, but %s", quote(short), port, portsOf(s))
			fix = "Use the Service's port in the application's settings, or give the Service that port."
		}
	}
	return said, fix
}

func portsOf(s *Service) string {
	var ports []string
	for _, p := range s.Ports {
		ports = append(ports, strconv.Itoa(p.Port))
	}
	return strings.Join(ports, ", ")
}
