package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

var web = diagnose.Ref{Kind: "Deployment", Name: "web"}

// release is an observation of one Deployment with one pod of one container, a minute after it was applied, with changes.
func release(changes ...func(*diagnose.Observed)) diagnose.Observed {
	o := diagnose.Observed{
		Now: now, Began: before(time.Minute), Limit: 3 * time.Minute,
		Objects: []diagnose.Object{{Ref: web, UID: "d", Wanted: 1, Labels: map[string]string{"app": "web"}}},
		Pods: []diagnose.Pod{{
			Name: "web-1", UID: "p", Owner: web, Labels: map[string]string{"app": "web"}, Phase: "Running",
			Created: before(time.Minute), Scheduled: before(time.Minute),
			Containers: []diagnose.Container{{Name: "web", Image: "r/app:1", Memory: "64Mi", Ports: []diagnose.Port{{Number: 8080}}}},
		}},
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// container changes the one container.
func container(change func(*diagnose.Container)) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) { change(&o.Pods[0].Containers[0]) }
}

func waiting(reason, message string) func(*diagnose.Observed) {
	return container(func(c *diagnose.Container) { c.Waiting = &diagnose.Waits{Reason: reason, Message: message} })
}

// ended has the container ended n times.
func ended(n, code int, reason string) func(*diagnose.Observed) {
	return container(func(c *diagnose.Container) {
		c.Restarts = n - 1
		c.Ended = &diagnose.End{Code: code, Reason: reason, Started: before(8 * time.Second), Finished: before(5 * time.Second)}
	})
}

// says is the end of the container's log.
func says(lines ...string) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		c := o.Pods[0].Containers[0]
		ref := diagnose.LogRef{Pod: "web-1", Container: "web", Restarts: c.Restarts, Previous: c.Running && c.Last != nil}
		o.Logs = append(o.Logs, diagnose.Log{LogRef: ref, Lines: lines, ReadAt: now, Last: before(40 * time.Second)})
	}
}

func running(o *diagnose.Observed) {
	c := &o.Pods[0].Containers[0]
	c.Running, c.Started = true, before(50*time.Second)
	c.Probes = []diagnose.Probe{{Kind: "Readiness", By: "http", Port: diagnose.Port{Number: 8080}, Path: "/healthz"}}
}

// declared are the ports that the container declares.
func declared(ports ...int) func(*diagnose.Observed) {
	return container(func(c *diagnose.Container) {
		c.Ports = nil
		for _, n := range ports {
			c.Ports = append(c.Ports, diagnose.Port{Number: n})
		}
	})
}

func event(r diagnose.Ref, reason, message string, count int) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		e := diagnose.Event{Ref: r, Warning: true, Reason: reason, Message: message, Count: count, First: before(30 * time.Second), Last: before(time.Second)}
		if r.Kind == "Pod" {
			e.Container = "web"
		}
		o.Events = append(o.Events, e)
	}
}

func unhealthy(message string) func(*diagnose.Observed) {
	return event(diagnose.Ref{Kind: "Pod", Name: "web-1"}, "Unhealthy", message, 5)
}

func mounting(message string) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		waiting("ContainerCreating", "")(o)
		event(diagnose.Ref{Kind: "Pod", Name: "web-1"}, "FailedMount", message, 5)(o)
	}
}

func noNode(message string, nodes diagnose.Nodes) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		o.Pods[0].NoNode = &diagnose.NoNode{Message: message, Since: before(30 * time.Second), Memory: 4 << 40, CPU: 0.1, Selector: "disk=ssd"}
		o.Nodes = nodes
	}
}

func noPods(message string) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		o.Pods = nil
		o.Objects[0].Conditions = []diagnose.Condition{{Type: "ReplicaFailure", Status: "True", Reason: "FailedCreate", Message: message, Since: before(30 * time.Second)}}
	}
}

func over(o *diagnose.Observed) { o.Over, o.Now = true, o.Began.Add(o.Limit) }

func age(d time.Duration) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) { o.Pods[0].Scheduled = before(d) }
}

func once(o *diagnose.Observed) { o.Pods[0].Once = true }

func initial(o *diagnose.Observed) { o.Pods[0].Containers[0].Init = true }

func with(more ...diagnose.Object) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) { o.Objects = append(o.Objects, more...) }
}

func asJob(conditions ...diagnose.Condition) func(*diagnose.Observed) {
	return func(o *diagnose.Observed) {
		job := diagnose.Ref{Kind: "Job", Name: "migrate"}
		o.Objects[0] = diagnose.Object{Ref: job, UID: "j", Wanted: 1, Failed: len(conditions) > 0, Conditions: conditions}
		o.Pods[0].Owner, o.Pods[0].Once = job, true
	}
}

func asHook(o *diagnose.Observed) {
	o.Hook = &diagnose.Hook{Ref: o.Objects[0].Ref, Event: "pre-install"}
}

var failed = diagnose.Condition{Type: "Failed", Status: "True", Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"}

const (
	fine    = ""        // nothing is wrong
	waits   = "waiting" // it may become ready; no more is said
	someday = "?"       // before a code: it may heal; the code is the cause for now
)

// rules are observations with the code that they must give. "?CODE" is a cause that may still go away.
var rules = map[string]struct {
	want  string
	words string // in the cause
	o     diagnose.Observed
}{
	"ready":    {fine, "", release(func(o *diagnose.Observed) { o.Objects[0].Ready = true })},
	"creating": {waits, "", release(waiting("ContainerCreating", ""))},

	"pulls, registry is down":     {someday + diagnose.CodeImagePull, "", release(waiting("ErrImagePull", `dial tcp 10.0.0.1:443: connect: connection refused`))},
	"pulls, too many requests":    {someday + diagnose.CodeImagePull, "", release(waiting("ErrImagePull", `429 Too Many Requests`))},
	"pulls, server in trouble":    {someday + diagnose.CodeImagePull, "", release(waiting("ErrImagePull", `unexpected status from HEAD request to https://r/v2/app/manifests/1: 503 Service Unavailable`))},
	"pulls, registry not found":   {diagnose.CodeImagePull, "host name", release(waiting("ErrImagePull", `dial tcp: lookup registry.nowhere: no such host`))},
	"pulls, name server hiccup":   {someday + diagnose.CodeImagePull, "", release(waiting("ErrImagePull", `dial tcp: lookup registry.nowhere: no such host`), age(9*time.Second))},
	"pulls, certificate":          {diagnose.CodeImagePull, "trust", release(waiting("ErrImagePull", `tls: failed to verify certificate: x509: certificate signed by unknown authority`))},
	"no such image":               {diagnose.CodeImageNotFound, `"r/app:1"`, release(waiting("ErrImagePull", `failed to resolve reference "r/app:x": r/app:x: not found`))},
	"no such image, later":        {diagnose.CodeImageNotFound, "", release(waiting("ImagePullBackOff", `Back-off pulling image "r/app:x": ErrImagePull: r/app:x: not found`))},
	"no such image in an init":    {diagnose.CodeImageNotFound, "init container", release(waiting("ErrImagePull", `manifest unknown`), initial)},
	"an image named like trouble": {diagnose.CodeImageNotFound, "", release(container(func(c *diagnose.Container) { c.Image = "r/denied-503:429" }), waiting("ErrImagePull", `r/denied-503:429: not found`))},
	"never pulled":                {diagnose.CodeImageNotFound, "imagePullPolicy", release(waiting("ErrImageNeverPull", `Container image "r/app:1" is not present with pull policy of Never`))},
	"no credentials":              {diagnose.CodeImageDenied, "", release(waiting("ErrImagePull", `401 Unauthorized`))},
	"none or not allowed":         {diagnose.CodeImageDenied, "", release(waiting("ErrImagePull", `pull access denied, repository does not exist or may require authorization`))},
	"no pull secret": {diagnose.CodeImageDenied, `"regcred"`, release(waiting("ErrImagePull", `401 Unauthorized`),
		event(diagnose.Ref{Kind: "Pod", Name: "web-1"}, "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.", 3))},
	"bad name":  {diagnose.CodeImageName, "", release(waiting("InvalidImageName", `couldn't parse image name`))},
	"other CPU": {diagnose.CodeImageArch, "", release(waiting("ErrImagePull", `no match for platform in manifest: not found`))},
	"exec format": {diagnose.CodeImageArch, "exec format error", release(ended(1, 128, "StartError"), container(func(c *diagnose.Container) {
		c.Ended.Message = `failed to create containerd task: exec /app: exec format error: unknown`
	}))},
	"exec format in its log": {diagnose.CodeImageArch, "", release(ended(2, 1, "Error"), says(`exec /app: exec format error`))},

	"no secret yet": {someday + diagnose.CodeContainerConfig, "", release(waiting("CreateContainerConfigError", `secret "a" not found`), age(5*time.Second))},
	"no secret":     {diagnose.CodeContainerConfig, `Secret "a"`, release(waiting("CreateContainerConfigError", `secret "a" not found`))},
	"no config map": {diagnose.CodeContainerConfig, `ConfigMap "a"`, release(waiting("CreateContainerConfigError", `configmap "a" not found`))},
	"no key":        {diagnose.CodeContainerConfig, `key "token" of Secret "a"`, release(waiting("CreateContainerConfigError", `couldn't find key token in Secret pr-web-1/a`))},
	"a secret that came": {someday + diagnose.CodeContainerConfig, "came late", release(waiting("CreateContainerConfigError", `secret "a" not found`), func(o *diagnose.Observed) {
		o.Found = []diagnose.Sought{{Ref: diagnose.Ref{Kind: "Secret", Name: "a"}}}
	})},
	"a key that came not": {diagnose.CodeContainerConfig, "", release(waiting("CreateContainerConfigError", `couldn't find key token in Secret pr-web-1/a`), func(o *diagnose.Observed) {
		o.Found = []diagnose.Sought{{Ref: diagnose.Ref{Kind: "Secret", Name: "a"}}}
	})},
	"an operator makes it": {someday + preview.CodeTimeout, "", release(waiting("CreateContainerConfigError", `secret "a" not found`), func(o *diagnose.Observed) {
		o.Pods[0].Secrets = []string{"a"}
		o.Objects = append(o.Objects, diagnose.Object{Ref: diagnose.Ref{Kind: "ExternalSecret", Name: "a"}, Custom: true, Makes: []string{"a"},
			Conditions: []diagnose.Condition{{Type: "Ready", Status: "False", Message: "syncing"}}})
	})},
	"runs as root":        {diagnose.CodeRunAsRoot, "", release(waiting("CreateContainerConfigError", `container has runAsNonRoot and image will run as root (pod: "web-1", container: web)`))},
	"user by name":        {diagnose.CodeRunAsRoot, "by a word", release(waiting("CreateContainerConfigError", `container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root`))},
	"no command":          {diagnose.CodeContainerStart, "no program", release(waiting("CreateContainerError", `failed to generate container spec: no command specified`))},
	"the runtime is slow": {someday + diagnose.CodeContainerConfig, "", release(waiting("CreateContainerError", `context deadline exceeded`))},
	"cannot be started": {diagnose.CodeContainerStart, `"/no/such"`, release(ended(1, 128, "StartError"), container(func(c *diagnose.Container) {
		c.Ended.Message = `exec: "/no/such": stat /no/such: no such file or directory`
	}))},
	"may not be executed":     {diagnose.CodeContainerStart, "executed", release(ended(1, 128, "StartError"), container(func(c *diagnose.Container) { c.Ended.Message = `exec: "/app": permission denied: unknown` }))},
	"could not start, once":   {someday + diagnose.CodeContainerStart, "", release(ended(1, 128, "StartError"), container(func(c *diagnose.Container) { c.Ended.Message = `cgroup: device or resource busy` }))},
	"no such command":         {diagnose.CodeContainerStart, "127", release(ended(2, 127, "Error"), ended(3, 127, "Error"))},
	"volume without its map":  {diagnose.CodeContainerConfig, `ConfigMap "conf"`, release(mounting(`MountVolume.SetUp failed for volume "conf" : configmap "conf" not found`))},
	"volume without its key":  {diagnose.CodeContainerConfig, `key "tls.crt"`, release(mounting(`MountVolume.SetUp failed for volume "tls" : references non-existent secret key: tls.crt`))},
	"volume without a driver": {diagnose.CodeVolumeMount, `"data"`, release(mounting(`MountVolume.SetUp failed for volume "data" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name x not found in the list of registered CSI drivers`))},
	"volume in trouble":       {someday + diagnose.CodeVolumeMount, "", release(mounting(`MountVolume.MountDevice failed for volume "pvc-1" : rpc error: code = Internal desc = resource busy`))},
	"no network":              {someday + diagnose.CodeNode, "", release(waiting("ContainerCreating", ""), event(diagnose.Ref{Kind: "Pod", Name: "web-1"}, "FailedCreatePodSandBox", "plugin type=\"calico\" failed (add): no addresses left", 4))},

	"ended twice":                 {someday + diagnose.CodeCrashLoop, "", release(ended(2, 1, "Error"))},
	"ended three times":           {diagnose.CodeCrashLoop, "exit code 1", release(ended(3, 1, "Error"))},
	"ended, waits for its turn":   {diagnose.CodeCrashLoop, "", release(waiting("CrashLoopBackOff", ""), container(func(c *diagnose.Container) { c.Restarts, c.Last = 2, &diagnose.End{Code: 1, Reason: "Error"} }))},
	"waits after a single ending": {someday + diagnose.CodeCrashLoop, "", release(waiting("CrashLoopBackOff", ""), container(func(c *diagnose.Container) { c.Last = &diagnose.End{Code: 1, Reason: "Error"} }))},
	"runs once more":              {waits, "", release(running, container(func(c *diagnose.Container) { c.Restarts, c.Last = 9, &diagnose.End{Code: 1} }))},
	"killed for its memory":       {diagnose.CodeOutOfMemory, "64Mi", release(ended(3, 137, "OOMKilled"))},
	"out of heap":                 {diagnose.CodeOutOfMemory, "", release(ended(3, 134, "Error"), says(`FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory`))},
	"a server that ends well":     {diagnose.CodeCrashLoop, "does not stay", release(ended(3, 0, "Completed"))},
	"a task that ends well":       {waits, "", release(ended(3, 0, "Completed"), once)},
	"an init that ended well":     {waits, "", release(ended(3, 0, "Completed"), initial)},
	"an init that ends badly":     {diagnose.CodeInit, "nit container", release(ended(3, 1, "Error"), initial)},
	"killed by nobody":            {diagnose.CodeCrashLoop, "", release(ended(3, 137, "Error"))},
	"read-only":                   {diagnose.CodeReadOnly, `"/data/cache"`, release(ended(2, 1, "Error"), says(`open /data/cache: read-only file system`, `exit`))},
	"port taken":                  {diagnose.CodePortInUse, "8080", release(ended(2, 1, "Error"), says(`listen tcp :8080: bind: address already in use`))},
	"low port":                    {diagnose.CodePermission, "port 80,", release(ended(2, 1, "Error"), says(`listen tcp :80: bind: permission denied`))},
	"no access":                   {diagnose.CodePermission, `"/var/lib/app"`, release(ended(2, 1, "Error"), says(`mkdir /var/lib/app: permission denied`))},
	"rights in a database":        {diagnose.CodeCrashLoop, "", release(ended(3, 1, "Error"), says(`ERROR: permission denied for table orders`))},
	"no setting":                  {diagnose.CodeSetting, "DATABASE_URL", release(ended(2, 1, "Error"), says(`fatal: environment variable DATABASE_URL is not set`))},
	"full":                        {diagnose.CodeDiskFull, "", release(ended(2, 1, "Error"), says(`write /data/x: no space left on device`))},
	"wrong host":                  {diagnose.CodeDNS, `"postgres"`, release(ended(2, 1, "Error"), says(`dial tcp: lookup postgres on 10.96.0.10:53: no such host`))},
	"foreign host":                {someday + diagnose.CodeDNS, "", release(ended(2, 1, "Error"), says(`getaddrinfo ENOTFOUND api.example.com`))},
	"nobody there":                {diagnose.CodeDependency, "db:5432", release(ended(3, 1, "Error"), says(`dial tcp db:5432: connect: connection refused`))},
	"nobody there yet":            {someday + diagnose.CodeDependency, "", release(ended(2, 1, "Error"), says(`dial tcp db:5432: connect: connection refused`))},
	"wrong port of a service": {diagnose.CodeDependency, "has no port 5432, but 5433", release(ended(2, 1, "Error"), says(`connect to db:5432 failed: connection refused`),
		with(diagnose.Object{Ref: diagnose.Ref{Kind: "Service", Name: "db"}, Ready: true, Service: &diagnose.Service{Ports: []diagnose.ServicePort{{Port: 5433}}}}))},
	"an address of a service":     {diagnose.CodeDependency, "db:5432", release(ended(3, 1, "Error"), says(`dial tcp 10.96.4.2:5432: i/o timeout`), readyService("10.96.4.2", 5432))},
	"no such port at the address": {diagnose.CodeDependency, "has no port 5433", release(ended(2, 1, "Error"), says(`dial tcp 10.96.4.2:5433: i/o timeout`), readyService("10.96.4.2", 5432))},
	"evicted": {diagnose.CodeEvicted, "ephemeral", release(func(o *diagnose.Observed) {
		p := &o.Pods[0]
		p.Phase, p.Reason, p.Message = "Failed", "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi."
	})},

	"checks have not begun": {waits, "", release(running)},
	"not well":              {someday + diagnose.CodeProbe, "503", release(running, unhealthy(`Readiness probe failed: HTTP probe failed with statuscode: 503`), says("listening on :8080"))},
	"not well, at the end":  {diagnose.CodeProbe, "503", release(running, unhealthy(`Readiness probe failed: HTTP probe failed with statuscode: 503`), says("listening on :8080"), over)},
	"wrong path":            {diagnose.CodeProbe, "404", release(running, unhealthy(`Readiness probe failed: HTTP probe failed with statuscode: 404`), says("listening on :8080"))},
	"loading, perhaps":      {someday + diagnose.CodeProbe, "404", release(running, unhealthy(`Readiness probe failed: HTTP probe failed with statuscode: 404`), says("deploying application"))},
	"wants a login":         {diagnose.CodeProbe, "401", release(running, unhealthy(`Readiness probe failed: HTTP probe failed with statuscode: 401`), says("server started on port 8080"))},
	"no tool for the check": {diagnose.CodeProbe, "command", release(running, unhealthy(`Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: exec: "curl": executable file not found in $PATH: unknown`))},
	"a check's command":     {someday + diagnose.CodeProbe, "the command that it runs ends with an error", release(running, unhealthy("Readiness probe failed: token=abc is not accepted\n"))},
	"no such port name":     {diagnose.CodeProbe, "http", release(running, unhealthy(`Readiness probe errored and resulted in unknown state: port "http" not found`))},
	"not TLS":               {diagnose.CodeProbe, "protocol", release(running, unhealthy(`Readiness probe failed: Get "https://10.1.0.3:8080/": http: server gave HTTP response to HTTPS client`))},
	"hangs":                 {someday + diagnose.CodeProbe, "in time", release(running, unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`), says("listening on :8080"))},
	"starts slowly":         {someday + diagnose.CodeProbe, "Nothing listens", release(running, unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": dial tcp 10.1.0.3:8080: connect: connection refused`), says("loading"))},
	"never listens":         {diagnose.CodeProbe, "Nothing listens", release(running, unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": dial tcp 10.1.0.3:8080: connect: connection refused`), says("loading"), over)},
	"another port": {diagnose.CodePort, "listens on port 9090", release(running, declared(9090),
		unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": dial tcp 10.1.0.3:8080: connect: connection refused`), says("listening on :9090"))},
	"another port, perhaps": {someday + diagnose.CodePort, "listens on port 9090", release(running, declared(),
		unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": dial tcp 10.1.0.3:8080: connect: connection refused`), says("listening on :9090"))},
	"another port first": {someday + diagnose.CodePort, "listens on port 9090", release(running, declared(9090, 8080),
		unhealthy(`Readiness probe failed: Get "http://10.1.0.3:8080/": dial tcp 10.1.0.3:8080: connect: connection refused`), says("listening on :9090"))},
	"metrics first":                  {someday + diagnose.CodeProbe, "", release(running, unhealthy(`Readiness probe failed: dial tcp 10.1.0.3:8080: connect: connection refused`), says("metrics server listening on :9090"))},
	"for itself only":                {diagnose.CodePort, "its own pod only", release(running, unhealthy(`Readiness probe failed: dial tcp 10.1.0.3:8080: connect: connection refused`), says("Listening on http://127.0.0.1:8080"))},
	"ended well, perhaps by a check": {someday + diagnose.CodeCrashLoop, "does not stay", release(ended(3, 0, "Completed"), container(func(c *diagnose.Container) { c.Probes = []diagnose.Probe{{Kind: "Liveness"}} }))},
	"killed by a check":              {diagnose.CodeLiveness, "liveness check", release(ended(3, 137, "Error"), unhealthy(`Liveness probe failed: HTTP probe failed with statuscode: 404`), event(diagnose.Ref{Kind: "Pod", Name: "web-1"}, "Killing", "Container web failed liveness probe, will be restarted", 3))},

	"cluster full":                 {someday + diagnose.CodeNoCapacity, "memory", release(noNode("0/1 nodes are available: 1 Insufficient memory.", diagnose.Nodes{Known: true, Memory: 8 << 40}))},
	"larger than any node":         {diagnose.CodeNoCapacity, "4Ti", release(noNode("0/1 nodes are available: 1 Insufficient memory.", diagnose.Nodes{Known: true, Memory: 8 << 30}))},
	"larger, but nodes come":       {someday + diagnose.CodeNoCapacity, "", release(noNode("0/1 nodes are available: 1 Insufficient memory.", diagnose.Nodes{Known: true, Memory: 8 << 30, Scaled: true}))},
	"full, and others keep it off": {someday + diagnose.CodeNoCapacity, "", release(noNode("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.", diagnose.Nodes{Known: true, CPU: 4}))},
	"no node has the label":        {diagnose.CodeUnschedulable, "disk=ssd", release(noNode("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", diagnose.Nodes{Known: true}))},
	"tainted":                      {diagnose.CodeUnschedulable, "gpu", release(noNode("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.", diagnose.Nodes{Known: true}))},
	"nodes nobody knows":           {someday + diagnose.CodeUnschedulable, "", release(noNode("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.", diagnose.Nodes{}))},
	"a claim that is not":          {diagnose.CodeContainerConfig, `PersistentVolumeClaim "data"`, release(noNode(`persistentvolumeclaim "data" not found`, diagnose.Nodes{}))},
	"a volume that never was":      {diagnose.CodeClaim, "storage class", release(waitsForVolume("no persistent volumes available for this claim and no storage class is set"))},
	"no such class":                {diagnose.CodeClaim, `"fast"`, release(waitsForVolume(`storageclass.storage.k8s.io "fast" not found`))},
	"volume on its way":            {someday + diagnose.CodeClaim, "", release(waitsForVolume("waiting for a volume to be created"))},

	"quota, pods":        {diagnose.CodeQuota, "pods", release(noPods(`pods "web-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`))},
	"quota, memory":      {diagnose.CodeQuota, "memory (limits)", release(noPods(`pods "web-1" is forbidden: exceeded quota: small, requested: limits.memory=1Gi, used: limits.memory=0, limited: limits.memory=512Mi`))},
	"quota, may be made": {someday + diagnose.CodeQuota, "", release(noPods(`exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`), oldPod)},
	"quota, nothing set": {diagnose.CodeQuota, "limits.memory", release(noPods(`pods "web-1" is forbidden: failed quota: small: must specify limits.memory for: web`))},
	"limit range":        {diagnose.CodeQuota, "64Mi", release(noPods(`pods "web-1" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi`))},
	"pod security":       {diagnose.CodeAdmission, "restricted", release(noPods(`pods "web-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`))},
	"webhook says no":    {diagnose.CodeAdmission, "no latest tags", release(noPods(`admission webhook "policy.example.com" denied the request: no latest tags`))},
	"policy says no":     {diagnose.CodeAdmission, "team label", release(noPods(`ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: team label is missing`))},
	"webhook is away":    {diagnose.CodeWebhookDown, "policy.example.com", release(noPods(`Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: Post "https://x.y.svc:443/": no endpoints available for service "x"`))},
	"no account":         {diagnose.CodeContainerConfig, `ServiceAccount "robot"`, release(noPods(`pods "web-1" is forbidden: error looking up service account ns/robot: serviceaccount "robot" not found`))},
	"events, not conditions": {diagnose.CodeQuota, "pods", release(func(o *diagnose.Observed) { o.Pods = nil },
		event(web, "FailedCreate", `pods "web-0" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`, 4))},
	"events of long ago": {waits, "", release(func(o *diagnose.Observed) { o.Pods = nil },
		event(web, "FailedCreate", `exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`, 4),
		func(o *diagnose.Observed) { o.Events[0].Last = before(time.Hour) })},

	"job failed":         {diagnose.CodeJob, "exit code 9", release(ended(1, 9, "Error"), asJob(failed))},
	"job out of memory":  {diagnose.CodeOutOfMemory, "64Mi", release(ended(1, 137, "OOMKilled"), asJob(failed))},
	"job without image":  {diagnose.CodeImageNotFound, "", release(waiting("ErrImagePull", "manifest unknown"), asJob())},
	"job tries again":    {someday + diagnose.CodeCrashLoop, "", release(ended(1, 9, "Error"), asJob())},
	"job out of time":    {diagnose.CodeJobDeadline, "activeDeadlineSeconds", release(running, asJob(diagnose.Condition{Type: "Failed", Status: "True", Reason: "DeadlineExceeded", Message: "Job was active longer than specified deadline"}))},
	"hook failed":        {preview.CodeHook, "pre-install hook Job \"migrate\"", release(ended(1, 9, "Error"), asJob(failed), asHook)},
	"hook takes forever": {diagnose.CodeHookTimeout, "pre-install", release(running, asJob(), asHook, over)},

	"selector that selects nothing": {diagnose.CodeRoute, "selector", release(readyPod, with(
		service(map[string]string{"app": "wbe"}, diagnose.Port{Number: 8080}), ingress(80)))},
	"unknown target port": {diagnose.CodeRoute, `"http"`, release(readyPod, with(
		service(map[string]string{"app": "web"}, diagnose.Port{Name: "http"}), ingress(80)))},
	"unknown backend port": {diagnose.CodeRoute, "81", release(readyPod, with(
		service(map[string]string{"app": "web"}, diagnose.Port{Number: 8080}), ingress(81)))},
	"sends to another port": {diagnose.CodeRoute, "listens on 8080", release(readyPod, says("listening on :8080"), with(
		service(map[string]string{"app": "web"}, diagnose.Port{Number: 3000}), ingress(80)))},
	"not all of it is known yet": {waits, "", release(with(
		service(map[string]string{"app": "web"}, diagnose.Port{Number: 8080}), ingress(80)), func(o *diagnose.Observed) {
		o.Pods, o.Objects[0] = nil, diagnose.Object{Ref: web, Absent: true}
	})},
	"all is well": {fine, "", release(readyPod, with(service(map[string]string{"app": "web"}, diagnose.Port{Number: 8080}), ingress(80)))},

	"certificate":  {someday + diagnose.CodeTLS, "DNS problem", release(readyPod, with(certificate()))},
	"never a cert": {diagnose.CodeTLS, "DNS problem", release(readyPod, with(certificate()), over)},
	"says nothing": {preview.CodeTimeout, "Not ready after 3m0s", release(waiting("ContainerCreating", ""), over)},
	"gave up": {preview.CodeRollout, "exceeded its progress deadline", release(func(o *diagnose.Observed) {
		o.Objects[0].Failed = true
		o.Objects[0].Status = "ReplicaSet has exceeded its progress deadline"
	})},
	"not there yet": {waits, "", release(func(o *diagnose.Observed) { o.Objects[0] = diagnose.Object{Ref: web, Absent: true}; o.Pods = nil })},

	"refused":       {preview.CodeApply, `Service "web"`, diagnose.Observed{Refused: &diagnose.Refusal{Ref: diagnose.Ref{Kind: "Service", Name: "web"}, Code: 422, Message: `Service "web" is invalid: spec.ports: Required value`}}},
	"refused quota": {diagnose.CodeQuota, "storage", diagnose.Observed{Refused: &diagnose.Refusal{Code: 403, Message: `exceeded quota: small, requested: requests.storage=10Gi, used: requests.storage=0, limited: requests.storage=1Gi`}}},
	"refused, away": {diagnose.CodeWebhookDown, "", diagnose.Observed{Refused: &diagnose.Refusal{Code: 500, Message: `Internal error occurred: failed calling webhook "x": connection refused`}}},
	"locked":        {diagnose.CodeHelmLock, "", diagnose.Observed{Refused: &diagnose.Refusal{Message: "another operation (install/upgrade/rollback) is in progress"}}},
	"not rendered":  {preview.CodeRender, "is not set", diagnose.Observed{Render: `execution error at (web/templates/a.yaml:3): nil pointer evaluating interface {}.host`}},
	"build failed":  {diagnose.CodeCI, `"build"`, diagnose.Observed{CI: &diagnose.CI{Name: "build", Conclusion: "failure"}}},
	"bad gateway":   {diagnose.CodeRoute, "502", release(readyPod, func(o *diagnose.Observed) { o.Answer = &diagnose.Answer{URL: "https://x", Status: 502} })},
}

func readyService(ip string, port int) func(*diagnose.Observed) {
	return with(diagnose.Object{Ref: diagnose.Ref{Kind: "Service", Name: "db"}, Ready: true, Service: &diagnose.Service{IPs: []string{ip}, Ports: []diagnose.ServicePort{{Port: port}}}})
}

func oldPod(o *diagnose.Observed) {
	o.Pods = append(o.Pods, diagnose.Pod{Name: "old-1", Phase: "Running"})
}

func waitsForVolume(message string) func(*diagnose.Observed) {
	claim := diagnose.Ref{Kind: "PersistentVolumeClaim", Name: "data"}
	return func(o *diagnose.Observed) {
		noNode("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", diagnose.Nodes{Known: true})(o)
		o.Pods[0].Claims = []string{"data"}
		o.Objects = append(o.Objects, diagnose.Object{Ref: claim, Claim: &diagnose.Claim{Class: "fast", Phase: "Pending"}})
		reason := "ProvisioningFailed"
		if strings.HasPrefix(message, "waiting") {
			reason = "ExternalProvisioning"
		}
		event(claim, reason, message, 3)(o)
	}
}

func readyPod(o *diagnose.Observed) {
	running(o)
	o.Objects[0].Ready = true
	o.Pods[0].ReadyAt = before(20 * time.Second)
	o.Pods[0].Containers[0].Ready = true
}

func service(selector map[string]string, target diagnose.Port) diagnose.Object {
	return diagnose.Object{Ref: diagnose.Ref{Kind: "Service", Name: "web"}, Ready: true, Service: &diagnose.Service{Selector: selector, Ports: []diagnose.ServicePort{{Port: 80, Target: target}}}}
}

func ingress(port int) diagnose.Object {
	return diagnose.Object{Ref: diagnose.Ref{Kind: "Ingress", Name: "web"}, Ready: true, Backs: []diagnose.Port{{Object: "web", Number: port}}}
}

func certificate() diagnose.Object {
	return diagnose.Object{Ref: diagnose.Ref{Kind: "Certificate", Name: "web"}, Custom: true, Conditions: []diagnose.Condition{{Type: "Ready", Status: "False", Reason: "Failed", Message: "acme: DNS problem"}}}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for name, c := range rules {
		v := diagnose.Judge(c.o)
		got := string(v.State)
		switch {
		case v.State == diagnose.Fine:
			got = fine
		case v.Diagnosis != nil && v.State == diagnose.Waiting:
			got = someday + v.Diagnosis.Code
		case v.Diagnosis != nil:
			got = v.Diagnosis.Code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, v.Diagnosis)
			continue
		}
		if d := v.Diagnosis; d != nil {
			if !strings.Contains(d.Cause, c.words) {
				t.Errorf("%s: %q is not in %q", name, c.words, d.Cause)
			}
			if d.Fix == "" || d.Blame == "" || d.Confidence <= 0 || d.Confidence > 1 || len(d.Evidence) > 12 || d.LogLines > len(d.Evidence) {
				t.Errorf("%s: %+v", name, d)
			}
		}
		if (v.State == diagnose.Waiting) != (v.Waits != "") {
			t.Errorf("%s: %s, and waits for %q", name, v.State, v.Waits)
		}
		if c.o.Pods != nil {
			c.o.Pods[0].Deleting = true
			if v := diagnose.Judge(c.o); v.State == diagnose.Hopeless && v.Diagnosis.Confidence > 0.9 && len(c.o.Objects) == 1 && !c.o.Objects[0].Failed && !c.o.Over {
				t.Errorf("%s: a pod that is going away is in trouble: %+v", name, v.Diagnosis)
			}
		}
	}
}
