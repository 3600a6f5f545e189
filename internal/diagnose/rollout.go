package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// rollout looks at an object that says of itself that it has failed, when nothing else tells why.
func (v *view) rollout(o Object, found []finding) []finding {
	if !o.Failed || len(found) > 0 {
		return nil
	}
	message := o.Status
	for _, bad := range [][2]string{{"Progressing", "False"}, {"Failed", "True"}, {"Stalled", "True"}, {"Ready", "False"}} {
		for _, c := range o.Conditions {
			if c.Type == bad[0] && c.Status == bad[1] && c.Message != "" {
				message = c.Message
			}
		}
	}
	f := finding{
		code: preview.CodeRollout, object: o.Ref, hopeless: true, soft: true, confidence: sure,
		cause:    fmt.Sprintf("%s failed: %s.", v.who(o.Ref), strings.TrimSuffix(oneLine(message), ".")),
		fix:      "See the evidence, correct the chart or the application and push again.",
		evidence: told(warnings(v.fresh(o)), 6),
	}
	for _, p := range v.pods[o.Ref] {
		f.evidence = append(f.evidence, told(warnings(v.podEvents(p)), 6)...)
		for _, c := range p.Containers {
			if c.Running && !c.Ready {
				f.log = v.liveLog(p, c).Lines
			}
		}
	}
	return []finding{f}
}

// custom looks at an object that an operator is to make ready: a certificate, a database.
func (v *view) custom(o Object) []finding {
	if !o.Custom || o.Absent {
		return nil
	}
	f := finding{code: preview.CodeTimeout, object: o.Ref, confidence: sure, hopeless: o.Failed}
	for _, c := range o.Conditions {
		if c.Type == "Ready" && c.Status != "True" && c.Message != "" {
			f.cause = fmt.Sprintf("%s is not ready: %s.", o.Ref, strings.TrimSuffix(oneLine(c.Message), "."))
			f.evidence = []string{c.Type + " is " + c.Status + ", " + c.Reason + ": " + oneLine(c.Message)}
		}
	}
	if o.Kind == "Certificate" {
		f.code = CodeTLS
		f.fix = "See whether the certificate's issuer works and the name leads to the cluster; the certificate's Order and Challenge say more."
		f.waits = "waits for its certificate to be issued"
		if f.cause == "" {
			f.cause = fmt.Sprintf("%s is still being issued.", o.Ref)
		}
	}
	if f.cause == "" || o.Failed && o.Kind != "Certificate" {
		return nil
	}
	if f.fix == "" {
		f.fix = "See what its operator says; if it only needs longer, raise the limit."
		f.blame = preview.BlameCluster
	}
	if f.waits == "" {
		f.waits = "is not ready"
	}
	f.evidence = append(f.evidence, told(warnings(v.fresh(o)), 6)...)
	return []finding{f}
}

// timeout is the cause when there is no other: the time is over. It names the object that is not ready and what it says of itself.
func (v *view) timeout() finding {
	f := finding{
		code: preview.CodeTimeout, hopeless: true, confidence: sure,
		cause: fmt.Sprintf("Not ready after %s.", v.Limit),
		fix:   "If it only needs longer, raise the limit.",
	}
	for _, o := range v.Objects {
		if o.Ready {
			continue
		}
		f.object = o.Ref
		f.cause = fmt.Sprintf("Not ready after %s: %s.", v.Limit, v.state(o))
		f.evidence = told(warnings(v.fresh(o)), 6)
		for _, p := range v.pods[o.Ref] {
			f.evidence = append(f.evidence, told(warnings(v.podEvents(p)), 6)...)
			for _, c := range p.Containers {
				if c.Running && !c.Ready && len(f.log) == 0 {
					f.log = v.liveLog(p, c).Lines
				}
			}
		}
		if len(f.evidence) > 0 {
			f.fix = "See the evidence; if it only needs longer, raise the limit."
		}
		return f
	}
	return f
}

// state is how an object that is not ready stands, as a clause.
func (v *view) state(o Object) string {
	who := v.who(o.Ref)
	if o.Absent {
		return who + " does not exist yet"
	}
	for _, p := range v.pods[o.Ref] {
		for _, c := range p.Containers {
			switch {
			case c.Waiting != nil && c.Waiting.Message != "":
				return fmt.Sprintf("%s waits for container %s of pod %s (%s: %s)", who, c.Name, p.Name, c.Waiting.Reason, oneLine(c.Waiting.Message))
			case c.Waiting != nil && !c.Init && slices.ContainsFunc(p.Containers, func(i Container) bool { return i.Init && i.Running }):
			case c.Waiting != nil:
				return fmt.Sprintf("%s waits for container %s of pod %s, which is being made (%s)", who, c.Name, p.Name, c.Waiting.Reason)
			case c.Running && c.Init:
				return fmt.Sprintf("%s waits for init container %s of pod %s to end", who, c.Name, p.Name)
			case c.Running && !c.Ready:
				return fmt.Sprintf("%s waits for container %s of pod %s, which runs but is not ready", who, c.Name, p.Name)
			}
		}
	}
	if o.Status != "" {
		return fmt.Sprintf("%s is not ready (%s)", who, lowerFirst(strings.TrimSuffix(oneLine(o.Status), ".")))
	}
	return who + " is not ready"
}

// waits says what is waited for: what the first object that is not ready waits for, in the words of what was found about it.
func (v *view) waits(causes []finding) string {
	for _, f := range causes {
		if f.waits != "" {
			return v.who(f.object) + " " + f.waits
		}
	}
	for _, o := range v.Objects {
		if !o.Ready {
			return v.state(o)
		}
	}
	return ""
}
