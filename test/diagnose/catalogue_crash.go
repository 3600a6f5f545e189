package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"catalyst.dev/catalyst/internal/diagnose"
)

// crashScenes are applications that end by themselves.
func crashScenes(i images) []scene {
	sealed := func(_ *corev1.PodSpec, c *corev1.Container) {
		yes := true
		c.SecurityContext.ReadOnlyRootFilesystem = &yes
	}
	tiny := resource.MustParse("1Mi")
	memory := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &tiny}}
	disk := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &tiny}}
	twin := func(p *corev1.PodSpec, _ *corev1.Container) {
		c := container(i, "twin")
		c.Ports, c.ReadinessProbe.InitialDelaySeconds = nil, 5 // the pod is not ready before both have tried
		p.Containers = append(p.Containers, c)
	}
	return []scene{
		{name: "crash", want: diagnose.CodeCrashLoop, words: []string{"exit code 3", "goodbye"}, fix: "last lines", known: ended(3), chart: chart(deployment(i, "web", args("-exit", "3", "-say", "goodbye")))},
		{name: "ends-well", want: diagnose.CodeCrashLoop, words: []string{"exit code 0", "does not stay"}, fix: "foreground", known: ended(3), chart: chart(deployment(i, "web", args("-exit", "0")))},
		{name: "init-fails", want: diagnose.CodeInit, words: []string{`nit container "setup"`, "exit code 5"}, fix: "last lines", known: ended(3), chart: chart(deployment(i, "web", withInit(i, args("-exit", "5"))))},
		{name: "crash-in-statefulset", want: diagnose.CodeCrashLoop, words: []string{`StatefulSet "web"`}, fix: "last lines", known: ended(3), long: true, chart: chart(statefulSet(i, "web", args("-exit", "3")))},
		{name: "out-of-memory", want: diagnose.CodeOutOfMemory, words: []string{"48Mi"}, fix: "limits.memory", known: ended(3), chart: chart(deployment(i, "web", args("-oom")))},
		{name: "read-only", want: diagnose.CodeReadOnly, words: []string{"/cache", "read-only file system"}, fix: "emptyDir", known: ended(2), chart: chart(deployment(i, "web", args("-write", "/cache"), sealed))},
		{name: "permission", want: diagnose.CodePermission, words: []string{"/etc/app.conf", "permission denied"}, fix: "chown", known: ended(2), chart: chart(deployment(i, "web", args("-write", "/etc/app.conf")))},
		{name: "low-port", want: diagnose.CodePermission, words: []string{"port 80,"}, fix: "1024", known: ended(2), chart: chart(deployment(i, "web", args("-listen", ":80")))},
		{name: "port-in-use", want: diagnose.CodePortInUse, words: []string{"8080", "address already in use"}, fix: "of its own", known: ended(2), chart: chart(deployment(i, "web", twin))},
		{name: "disk-full", want: diagnose.CodeDiskFull, words: []string{"no space left"}, fix: "sizeLimit", known: ended(2), chart: chart(deployment(i, "web", args("-write", "/data/x", "-fill", "4"), volume("data", "/data", memory)))},
		{name: "evicted", want: diagnose.CodeEvicted, words: []string{"usage"}, fix: "sizeLimit", known: event("Evicted", "", 1), long: true, chart: chart(deployment(i, "web", args("-write", "/data/x", "-fill", "8", "-health-after", "5m"), volume("data", "/data", disk)))},
		{name: "setting-missing", want: diagnose.CodeSetting, words: []string{"DATABASE_URL"}, fix: "DATABASE_URL", known: ended(2), chart: chart(deployment(i, "web", args("-need", "DATABASE_URL")))},
		{name: "host-not-found", want: diagnose.CodeDNS, words: []string{`"postgres"`, `"db"`}, fix: "Service", known: ended(2), chart: chart(
			deployment(i, "web", args("-lookup", "postgres")), deployment(i, "db"), service("db", "db", 5432, intstr.FromInt(8080)))},
		{name: "dependency-refuses", want: diagnose.CodeDependency, words: []string{"db:5432", "refuse"}, fix: "listens", known: ended(3), chart: chart(
			deployment(i, "web", args("-dial", "db:5432")), deployment(i, "db", ports(5432)), service("db", "db", 5432, intstr.FromInt(5432)))},
		{name: "crash-without-check", want: diagnose.CodeCrashLoop, words: []string{`"web"`, "exit code 7"}, fix: "last lines", known: ended(3), chart: chart(
			deployment(i, "web", args("-life", "700ms", "-exit", "7"), unchecked))},
		{name: "dependency-on-itself", want: diagnose.CodeDependency, words: []string{"127.0.0.1:5432", "its own pod"}, fix: "Service", known: ended(2), chart: chart(deployment(i, "web", args("-dial", "127.0.0.1:5432")))},
		{name: "dependency-has-no-such-port", want: diagnose.CodeDependency, words: []string{"no port 5433"}, fix: "port", known: ended(2), chart: chart(
			deployment(i, "web", args("-dial", "db:5433")), deployment(i, "db"), service("db", "db", 5432, intstr.FromInt(8080)))},
	}
}

// unchecked takes the readiness check away: the node calls the container ready as soon as it runs.
func unchecked(_ *corev1.PodSpec, c *corev1.Container) { c.ReadinessProbe = nil }

// ports are the ports that the container declares.
func ports(n int32) edit {
	return func(_ *corev1.PodSpec, c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: n}} }
}

// probeScenes are applications that run and are not ready.
func probeScenes(i images) []scene {
	check := func(path string, port int) edit {
		return func(_ *corev1.PodSpec, c *corev1.Container) { c.ReadinessProbe.ProbeHandler = get(path, port) }
	}
	liveness := func(path string, failures int32) edit {
		return func(_ *corev1.PodSpec, c *corev1.Container) {
			c.ReadinessProbe.InitialDelaySeconds = 20 // it never gets so far
			c.LivenessProbe = &corev1.Probe{ProbeHandler: get(path, 8080), PeriodSeconds: 1, FailureThreshold: failures}
		}
	}
	failing := func(words string) sign { return event("Unhealthy", words, 3) }
	return []scene{
		{name: "check-path", want: diagnose.CodeProbe, words: []string{"/ready", "404"}, fix: "path", known: failing("404"), chart: chart(deployment(i, "web", check("/ready", 8080)))},
		{name: "check-wants-login", want: diagnose.CodeProbe, words: []string{"401"}, fix: "login", known: failing("401"), long: true, chart: chart(deployment(i, "web", args("-health", "401")))},
		{name: "check-port", want: diagnose.CodePort, words: []string{"listens on port 9090", "8080"}, fix: "9090", known: failing("refused"), chart: chart(deployment(i, "web", args("-listen", ":9090"), ports(9090)))},
		{name: "check-port-undeclared", want: diagnose.CodePort, words: []string{"listens on port 9090", "8080"}, fix: "9090", undecided: true, known: failing("refused"), chart: chart(deployment(i, "web", args("-listen", ":9090")))},
		{name: "loopback-only", want: diagnose.CodePort, words: []string{"its own pod only"}, fix: "0.0.0.0", known: failing("refused"), chart: chart(deployment(i, "web", args("-listen", "127.0.0.1:8080")))},
		{name: "check-tool-missing", want: diagnose.CodeProbe, words: []string{"command"}, fix: "command", known: event("Unhealthy", "curl", 1), chart: chart(deployment(i, "web", func(_ *corev1.PodSpec, c *corev1.Container) {
			c.ReadinessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"curl", "http://localhost"}}}
		}))},
		{name: "check-port-name", want: diagnose.CodeProbe, words: []string{`"http"`}, fix: "ports", known: event("Unhealthy", "http", 1), long: true, chart: chart(deployment(i, "web", func(_ *corev1.PodSpec, c *corev1.Container) {
			c.ReadinessProbe.HTTPGet.Port = intstr.FromString("http")
		}))},
		{name: "check-protocol", want: diagnose.CodeProbe, words: []string{"protocol"}, fix: "scheme", known: failing("HTTP response to HTTPS"), chart: chart(deployment(i, "web", func(_ *corev1.PodSpec, c *corev1.Container) {
			c.ReadinessProbe.HTTPGet.Scheme = corev1.URISchemeHTTPS
		}))},
		{name: "never-well", want: diagnose.CodeProbe, words: []string{"503"}, fix: "log", undecided: true, known: failing("503"), chart: chart(deployment(i, "web", args("-health", "503")))},
		{name: "never-listens", want: diagnose.CodeProbe, words: []string{"8080"}, fix: "log", undecided: true, unsure: true, known: failing("refused"), chart: chart(deployment(i, "web", args("-silent")))},
		{name: "liveness-path", want: diagnose.CodeLiveness, words: []string{"liveness", "404"}, fix: "check", known: ended(3), chart: chart(deployment(i, "web", liveness("/alive", 2)))},
		{name: "liveness-too-early", want: diagnose.CodeLiveness, words: []string{"liveness", "8080"}, fix: "startupProbe", known: ended(3), chart: chart(deployment(i, "web", args("-startup", "60s"), liveness("/healthz", 3)))},
		{name: "startup-too-short", want: diagnose.CodeLiveness, words: []string{"startup"}, fix: "longer", known: ended(3), long: true, chart: chart(deployment(i, "web", args("-startup", "60s"), func(_ *corev1.PodSpec, c *corev1.Container) {
			c.StartupProbe = &corev1.Probe{ProbeHandler: get("/healthz", 8080), PeriodSeconds: 1, FailureThreshold: 3}
		}))},
	}
}
