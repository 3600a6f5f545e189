package diagnose

import (
	"regexp"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// unknownRegistry is how long the name of a registry may stay unknown: a name server may have a bad moment, a typing error stays.
const unknownRegistry = 30 * time.Second

var (
	wrongPlatform = []string{"no match for platform", "no matching manifest", "does not match the specified platform", "image platform"}
	// A registry that hides what one may not see answers "denied" for what does not exist, too; the message says both.
	refusedPull = []string{"unauthorized", "authorization failed", "denied", "forbidden", "authentication required", "no basic auth"}
	missing     = []string{"not found", "manifest unknown", "name unknown", "does not exist", "no such image", "manifest invalid"}
	registryTLS = []string{"x509:", "server gave http response to https client"}
)

// passing finds what a registry, or the way to it, recovers from.
var passing = regexp.MustCompile(`\b429\b|too ?many ?requests|rate limit|\b5\d\d (internal|bad|service|gateway)|status(:| code)? 5\d\d|` +
	`connection (refused|reset)|i/o timeout|handshake timeout|deadline exceeded|network is unreachable|no route to host|\beof\b|` +
	`server misbehaving|temporary failure|service unavailable`)

// image looks at a container whose image cannot be had.
func (v *view) image(p Pod, c Container) *finding {
	w := c.Waiting
	if w == nil {
		return nil
	}
	f := &finding{object: p.Owner, at: p.Scheduled, confidence: certain, evidence: []string{w.Reason + ": " + oneLine(w.Message)}}
	who := v.whose(p, c)
	switch w.Reason {
	case "InvalidImageName":
		f.code, f.hopeless = CodeImageName, true
		f.cause = quote(c.Image) + ", the image of " + who + ", is not the name of an image."
		f.fix = "Correct the image's name or tag in the values."
		return f
	case "ErrImageNeverPull":
		f.code, f.hopeless = CodeImageNotFound, true
		f.cause = "Image " + quote(c.Image) + " of " + who + " is not on the node, and imagePullPolicy Never keeps the node from pulling it."
		f.fix = "Set imagePullPolicy to IfNotPresent in the chart."
		return f
	case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		v.pull(p, c, f)
		return f
	}
	return nil
}

// pull says why an image is not pulled. A message that only says "back-off" leaves that to the events.
func (v *view) pull(p Pod, c Container, f *finding) {
	text := c.Waiting.Message
	for _, e := range v.podEvents(p) {
		if e.Reason == "Failed" && strings.Contains(e.Message, "pull image") {
			text += "\n" + e.Message
			if !strings.Contains(c.Waiting.Message, "rror") {
				f.evidence = []string{e.Reason + ": " + oneLine(e.Message)}
			}
		}
	}
	// The image's own name may hold any of the words.
	text = strings.ToLower(strings.ReplaceAll(text, c.Image, "IMAGE"))
	who := v.whose(p, c)
	image := quote(c.Image)
	switch {
	case hasAny(text, wrongPlatform...):
		f.code, f.hopeless = CodeImageArch, true
		f.cause = "Image " + image + " of " + who + " is not built for the CPU of the cluster's nodes."
		f.fix = "Build the image for the nodes' platform as well (docker buildx build --platform linux/amd64,linux/arm64)."
	case hasAny(text, registryTLS...):
		f.code, f.hopeless = CodeImagePull, true
		f.cause = "The nodes do not trust the registry of image " + image + " of " + who + "."
		f.fix, f.blame = "Have the cluster's operator give the nodes the registry's certificate, or use a registry that they trust.", preview.BlameCluster
	case passing.MatchString(text):
		f.code, f.confidence = CodeImagePull, sure
		f.cause = "The registry does not deliver image " + image + " of " + who + "; the node keeps trying."
		f.fix = "Wait until the registry answers, then deploy again."
		f.waits = "waits for the registry to deliver image " + image
	case strings.Contains(text, "no such host"):
		f.code, f.hopeless = CodeImagePull, v.Now.Sub(p.Scheduled) > unknownRegistry
		f.cause = "The host name of the registry of image " + image + " of " + who + " is not known to the nodes."
		f.fix, f.blame = "Correct the image's name; if it is right, the nodes' name server does not know the registry.", preview.BlameConfig
		f.waits = "waits for the registry of image " + image + ", whose name is not found"
	case hasAny(text, refusedPull...):
		v.denied(p, c, f)
	case hasAny(text, missing...):
		f.code, f.hopeless = CodeImageNotFound, true
		f.cause = "Image " + image + " of " + who + " does not exist in the registry."
		f.fix = "Check that the build pushed this tag, and the image's name in the values."
	default:
		f.code, f.confidence = CodeImagePull, sure
		f.cause = "Image " + image + " of " + who + " cannot be pulled; the node keeps trying."
		f.fix = "See what the node says in the evidence."
		f.waits = "waits for image " + image
	}
}

var pullSecrets = regexp.MustCompile(`image pull secrets \(([^)]*)\)`)

func (v *view) denied(p Pod, c Container, f *finding) {
	f.code, f.hopeless = CodeImageDenied, true
	f.cause = "The registry refuses image " + quote(c.Image) + " of " + v.whose(p, c) + ": it wants credentials, or other ones."
	f.fix = "Check that the image exists, and that the namespace has credentials for the registry (imagePullSecrets)."
	for _, e := range v.podEvents(p) {
		if m := pullSecrets.FindStringSubmatch(e.Message); m != nil {
			f.cause += " The pull secret " + quote(m[1]) + ", which the pod names, does not exist."
			f.fix = "Have the chart make the pull secret, or correct its name."
			f.evidence = append(f.evidence, told([]Event{e}, 1)...)
			return
		}
	}
	if len(p.Pulls) > 0 {
		f.cause = strings.TrimSuffix(f.cause, ".") + " than the pull secret " + list(p.Pulls) + ", which the pod names."
		// That there is none is said a moment later.
		f.hopeless = c.Waiting.Reason == "ImagePullBackOff" || v.Over
		f.waits = "waits for image " + quote(c.Image) + ", which the registry refuses"
	}
}
