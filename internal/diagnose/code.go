package diagnose

import (
	"catalyst.dev/catalyst/internal/preview"
)

// Codes of the diagnoses that this package gives beside those in package preview.
const (
	CodeCI              = "CI_FAILED"
	CodeImageNotFound   = "IMAGE_NOT_FOUND"
	CodeImageDenied     = "IMAGE_DENIED"
	CodeImageName       = "IMAGE_NAME"
	CodeImageArch       = "IMAGE_ARCH"
	CodeImagePull       = "IMAGE_PULL"
	CodeContainerConfig = "CONTAINER_CONFIG"
	CodeContainerStart  = "CONTAINER_START"
	CodeRunAsRoot       = "RUN_AS_ROOT"
	CodeCrashLoop       = "CRASH_LOOP"
	CodeInit            = "INIT_FAILED"
	CodeOutOfMemory     = "OUT_OF_MEMORY"
	CodeDNS             = "DNS"
	CodeDependency      = "DEPENDENCY"
	CodeReadOnly        = "READ_ONLY"
	CodePortInUse       = "PORT_IN_USE"
	CodePermission      = "PERMISSION"
	CodeSetting         = "SETTING"
	CodeDiskFull        = "DISK_FULL"
	CodeEvicted         = "EVICTED"
	CodeProbe           = "PROBE"
	CodeLiveness        = "LIVENESS"
	CodePort            = "PORT"
	CodeRoute           = "ROUTE"
	CodeNoCapacity      = "NO_CAPACITY"
	CodeUnschedulable   = "UNSCHEDULABLE"
	CodeClaim           = "PVC_PENDING"
	CodeVolumeMount     = "VOLUME_MOUNT"
	CodeNode            = "NODE"
	CodeQuota           = "QUOTA"
	CodeAdmission       = "ADMISSION"
	CodeWebhookDown     = "WEBHOOK_DOWN"
	CodeJob             = "JOB_FAILED"
	CodeJobDeadline     = "JOB_DEADLINE"
	CodeHookTimeout     = "HOOK_TIMEOUT"
	CodeTLS             = "TLS_PENDING"
	CodeHelmLock        = "HELM_LOCK"
	CodeObjectGone      = "OBJECT_GONE"
	CodeNotReady        = "NOT_READY"
)

// Code is one cause of failure that Catalyst can name.
type Code struct {
	Name  string
	Title string        // a few words: "the image does not exist"
	Blame preview.Blame // whose turn it usually is; the diagnosis may know better
}

// Title returns what a code means, as the end of the sentence "Preview failed: …"; nothing for a code that is not known.
func Title(code string) string {
	for _, c := range Codes() {
		if c.Name == code {
			return c.Title
		}
	}
	return ""
}

// Codes returns every code there is, those that other packages give too, in the order of docs/diagnosis.md.
func Codes() []Code {
	const (
		change, config  = preview.BlameChange, preview.BlameConfig
		cluster, nobody = preview.BlameCluster, preview.BlameTransient
	)
	return []Code{
		{preview.CodeChartMissing, "no chart at the commit", config},
		{preview.CodeChartInvalid, "the chart cannot be loaded", change},
		{preview.CodeValues, "the values do not fit", config},
		{preview.CodeRender, "the chart does not render", change},
		{preview.CodeRenderLimit, "rendering the chart takes or makes too much", change},
		{preview.CodeSandbox, "this server cannot render charts safely", nobody},
		{preview.CodeConfig, "Catalyst's configuration is wrong", config},
		{preview.CodeApply, "the API server refuses an object", change},
		{CodeAdmission, "a policy of the cluster says no", config},
		{CodeQuota, "the namespace's quota is too small", config},
		{CodeWebhookDown, "an admission webhook does not answer", cluster},
		{CodeHelmLock, "an earlier run left the release locked", nobody},

		{CodeCI, "the build of the image failed", change},
		{CodeImageNotFound, "the image does not exist", change},
		{CodeImageDenied, "the cluster may not pull the image", config},
		{CodeImageName, "not the name of an image", config},
		{CodeImageArch, "the image is for another CPU", change},
		{CodeImagePull, "the registry does not deliver the image", preview.BlameRegistry},

		{CodeContainerConfig, "a container refers to what is not there", config},
		{CodeRunAsRoot, "the image runs as root and may not", change},
		{CodeContainerStart, "the container's program cannot be started", change},
		{CodeVolumeMount, "a volume cannot be mounted", config},
		{CodeClaim, "a volume claim gets no volume", cluster},
		{CodeNoCapacity, "no node has room", cluster},
		{CodeUnschedulable, "no node fits", config},
		{CodeNode, "the node cannot run the pod", cluster},
		{CodeEvicted, "the pod was thrown off its node", config},

		{CodeCrashLoop, "the application ends again and again", change},
		{CodeInit, "an init container fails", change},
		{CodeOutOfMemory, "out of memory", config},
		{CodeDNS, "a host name is not found", config},
		{CodeDependency, "something the application needs does not answer", config},
		{CodeReadOnly, "the file system is read-only", change},
		{CodePermission, "permission denied", change},
		{CodePortInUse, "the port is already in use", change},
		{CodeSetting, "a setting is missing", config},
		{CodeDiskFull, "no space left on a volume", config},

		{CodeProbe, "the health check fails", config},
		{CodePort, "the application listens on another port", config},
		{CodeLiveness, "the liveness check kills the application", config},
		{CodeRoute, "the URL reaches no pod", config},
		{CodeTLS, "the certificate is still being issued", cluster},

		{CodeJob, "a Job failed", change},
		{CodeJobDeadline, "a Job ran out of its time", change},
		{preview.CodeHook, "a Helm hook failed", change},
		{CodeHookTimeout, "a Helm hook does not end", change},

		{preview.CodeRollout, "an object says that it failed", change},
		{preview.CodeTimeout, "not ready in time", preview.BlameUnknown},
		{CodeNotReady, "it was ready, and is no longer", preview.BlameUnknown},
		{CodeObjectGone, "one of its objects was deleted", cluster},
		{preview.CodeNamespace, "the namespace is somebody else's, or gone", cluster},
		{preview.CodeStuckDelete, "the namespace does not go away", cluster},
		{preview.CodeForksOff, "forks get no previews here", config},
		{preview.CodeSecretMissing, "a Secret that the preview is to get is missing", config},
		{preview.CodeSecretTaken, "another Secret has the name of a copy", config},
		{preview.CodeOutage, "GitHub or the cluster did not answer", nobody},
	}
}

// blameOf is whose turn it usually is.
func blameOf(code string) preview.Blame {
	for _, c := range Codes() {
		if c.Name == code {
			return c.Blame
		}
	}
	return preview.BlameUnknown
}
