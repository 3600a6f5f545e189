package diagnose

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// quotaGrace is how long pods over the quota may wait for others to make room.
	quotaGrace = 4 * time.Second
	// webhookGrace is how long an admission webhook may be away: it may be starting again.
	webhookGrace = 6 * time.Second
)

var (
	webhookDown = regexp.MustCompile(`failed calling webhook "([^"]+)": (.+)`)
	webhookSays = regexp.MustCompile(`admission webhook "([^"]+)" denied the request: ?(.*)`)
	policySays  = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)' with binding '[^']*' denied request: (.*)`)
	security    = regexp.MustCompile(`violates PodSecurity "([^"]+)": (.*)`)
	noAccount   = regexp.MustCompile(`(?i)(serviceaccount|priorityclass|runtimeclass)[^"]*"([^"]+)" not found|no PriorityClass with name (\S+) was found`)
)

// admission says what a refusal by the cluster's rules means; nil when the message is about none. It leaves object and time to the caller.
func admission(who, message string) *finding {
	f := &finding{code: CodeAdmission, confidence: certain, hopeless: true}
	switch {
	case webhookDown.MatchString(message):
		m := webhookDown.FindStringSubmatch(message)
		f.code = CodeWebhookDown
		f.cause = "The cluster asks the admission webhook " + quote(m[1]) + " about " + who + ", and that does not answer: " + oneLine(m[2])
		f.fix = "Ask the cluster's operator to bring the webhook back, then deploy again."
	case webhookSays.MatchString(message):
		m := webhookSays.FindStringSubmatch(message)
		f.cause = "The cluster's policy " + quote(m[1]) + " does not allow " + who + ": " + oneLine(m[2])
		f.fix = "Change what the policy objects to in the chart, or ask the cluster's operator for an exception."
	case policySays.MatchString(message):
		m := policySays.FindStringSubmatch(message)
		f.cause = "The cluster's policy " + quote(m[1]) + " does not allow " + who + ": " + oneLine(m[2])
		f.fix = "Change what the policy objects to in the chart, or ask the cluster's operator for an exception."
	case security.MatchString(message):
		m := security.FindStringSubmatch(message)
		f.cause = "The namespace's Pod Security level " + quote(m[1]) + " does not allow " + who + ": " + oneLine(m[2])
		f.fix = "Set the named fields of securityContext in the chart."
	case noAccount.MatchString(message):
		m := noAccount.FindStringSubmatch(message)
		f.code, f.soft = CodeContainerConfig, true
		what := quote(m[2])
		if m[1] == "" {
			what = quote(m[3])
		}
		kind := map[string]string{"serviceaccount": "ServiceAccount", "runtimeclass": "RuntimeClass"}[strings.ToLower(m[1])]
		if kind == "" {
			kind = "PriorityClass"
		}
		f.cause = "The pods of " + who + " cannot be made: " + kind + " " + what + " does not exist."
		f.fix = "Have the chart make it, or correct the reference to it."
	default:
		return nil
	}
	return f
}

// creation looks at an object whose pods are not let in.
func (v *view) creation(o Object) []finding {
	message, since := v.notLetIn(o)
	if message == "" {
		return nil
	}
	who := v.who(o.Ref)
	waited := v.Now.Sub(since)
	evidence := []string{"FailedCreate: " + oneLine(message)}
	f, alone, quota := overQuota(who, message)
	if quota {
		// Pods of an older revision, or of a Job that is about to end, may be about to make room.
		room := slices.ContainsFunc(v.Pods, func(p Pod) bool {
			return p.Phase != "Succeeded" && p.Phase != "Failed" && (p.Deleting || p.Owner == Ref{} || p.Once)
		})
		f.hopeless = alone || waited >= quotaGrace && !room
		f.waits = "waits for room in the namespace's quota"
	} else if known := admission(who, message); known != nil {
		f = *known
		if f.code == CodeWebhookDown {
			f.hopeless = waited >= webhookGrace
			f.waits = "waits for an admission webhook that does not answer"
		}
		if f.code == CodeContainerConfig {
			f.hopeless = waited >= configGrace
			f.waits = "waits for what its pods refer to"
		}
	} else {
		f = finding{
			code: CodeAdmission, confidence: sure, hopeless: strings.Contains(message, "is invalid:"),
			cause: upperFirst(who) + " cannot make its pods: " + oneLine(message),
			fix:   "Correct the pod in the chart as the API server says.",
			waits: "cannot make its pods",
		}
	}
	f.object, f.at, f.evidence = o.Ref, since, evidence
	return []finding{f}
}

// notLetIn is why an object's pods cannot be made, and since when: from its condition, or for the kinds that have none from its events.
func (v *view) notLetIn(o Object) (string, time.Time) {
	for _, c := range o.Conditions {
		if c.Type == "ReplicaFailure" && c.Status == "True" && c.Message != "" {
			since := v.Began
			if !c.Since.IsZero() {
				since = c.Since
			}
			return c.Message, since
		}
	}
	if o.Wanted == 0 || len(v.pods[o.Ref]) >= o.Wanted {
		return "", time.Time{}
	}
	for _, e := range slices.Backward(v.fresh(o)) {
		if e.Reason == "FailedCreate" {
			return e.Message, e.First
		}
	}
	return "", time.Time{}
}
