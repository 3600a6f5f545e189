package diagnose

import (
	"slices"
	"strings"
	"time"
)

// claimGrace is how long a claim may wait for a volume with the cluster saying that there is nothing to give one.
const claimGrace = 5 * time.Second

// claim looks at a PersistentVolumeClaim that is not bound.
func (v *view) claim(o Object) []finding {
	if o.Claim == nil || o.Claim.Phase == "Bound" {
		return nil
	}
	f := finding{code: CodeClaim, object: o.Ref, confidence: sure, waits: "waits for a volume"}
	f.cause = v.who(o.Ref) + " has got no volume yet."
	f.fix = "See what the cluster says in the evidence; its operator can tell which storage classes there are."
	for _, e := range v.fresh(o) {
		f.evidence = told(append(v.fresh(o), e), 4)
		text := strings.ToLower(e.Message)
		switch {
		case strings.Contains(text, "no storage class is set"):
			f.at, f.confidence, f.hopeless = e.First, certain, v.Now.Sub(e.First) >= claimGrace
			f.cause = v.who(o.Ref) + " names no storage class, and the cluster has no default one and no free volume."
			f.fix, f.blame = "Name a storage class of the cluster in the claim, use an emptyDir in previews, or have a default class set.", "config"
			f.waits = "waits for a volume; no storage class is set"
		case strings.Contains(text, "storageclass") && strings.Contains(text, "not found"):
			f.at, f.confidence, f.hopeless = e.First, certain, v.Now.Sub(e.First) >= claimGrace
			f.cause = v.who(o.Ref) + " asks for storage class " + quote(o.Claim.Class) + ", which the cluster does not have."
			f.fix, f.blame = "Name a storage class of the cluster in the preview's values, or leave it out for the default one.", "config"
			f.waits = "waits for a volume of storage class " + quote(o.Claim.Class) + ", which does not exist"
		case e.Reason == "WaitForFirstConsumer":
			f.soft, f.waits = true, "waits for a pod that uses it"
			f.confidence = 0.4
		case e.Reason == "ExternalProvisioning" || e.Reason == "Provisioning":
			f.at, f.waits = e.First, "waits for its volume to be made"
		case e.Reason == "ProvisioningFailed":
			f.at = e.First
			f.cause = v.who(o.Ref) + " gets no volume: " + oneLine(e.Message)
			f.waits = "waits for a volume, which could not be made so far"
		}
	}
	if v.Now.Sub(v.Began) < claimGrace && !f.hopeless && !v.Over {
		return nil // it is usual for a moment
	}
	return []finding{f}
}

// mounts looks at a pod whose volumes are not mounted.
func (v *view) mounts(p Pod) *finding {
	for _, e := range slices.Backward(v.podEvents(p)) {
		if e.Reason != "FailedMount" && e.Reason != "FailedAttachVolume" && e.Reason != "FailedMapVolume" {
			continue
		}
		if strings.Contains(e.Message, "Unable to attach or mount volumes") || strings.Contains(e.Message, "failed to sync") {
			continue // says only that it takes long
		}
		line := told([]Event{e}, 1)[0]
		if what := lacks(e.Message); what != "" {
			f := v.lacking(p, "Pod "+quote(p.Name)+" of "+v.who(p.Owner), what, line)
			f.at = e.First
			return f
		}
		volume := "A volume"
		if m := noVolume.FindStringSubmatch(e.Message); m != nil {
			volume = "Volume " + quote(m[1])
		}
		text := strings.ToLower(e.Message)
		f := &finding{
			code: CodeVolumeMount, object: p.Owner, at: e.First, confidence: sure, evidence: []string{line},
			cause: volume + " of " + v.who(p.Owner) + " cannot be mounted: " + afterColon(oneLine(e.Message)),
			fix:   "Correct the volume in the chart, or ask the cluster's operator for the driver it needs.",
			waits: strings.ToLower(volume[:1]) + volume[1:] + " is not mounted",
		}
		f.waits = "waits for " + f.waits
		f.waits = strings.Replace(f.waits, " is not mounted", " to be mounted", 1)
		f.hopeless = e.Count >= crashes && hasAny(text, "not found in the list of registered csi drivers", "hostpath type check failed", "no such file or directory", "not a directory", "permission denied", "access denied")
		return f
	}
	return nil
}

// afterColon is the part of a message behind what it repeats of the volume's name.
func afterColon(s string) string {
	if _, rest, ok := strings.Cut(s, `" : `); ok {
		return rest
	}
	return s
}
