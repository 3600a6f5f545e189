package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// job looks at a Job, or a pod that runs like one, that has failed or goes on failing. found is what is known of its pods.
func (v *view) job(o Object, found []finding) []finding {
	if o.Kind != "Job" && (v.Hook == nil || o.Kind != "Pod") {
		return nil
	}
	reason, message := "", ""
	for _, c := range o.Conditions {
		if (c.Type == "Failed" || c.Type == "FailureTarget") && c.Status == "True" {
			reason, message = c.Reason, c.Message
		}
	}
	if !o.Failed && reason == "" {
		return nil
	}
	f := finding{code: CodeJob, object: o.Ref, hopeless: true, confidence: certain}
	f.cause = fmt.Sprintf("%s failed.", v.who(o.Ref))
	f.fix = "See its log and correct what it does; it must end with exit code 0."
	if message != "" {
		f.evidence = []string{reason + ": " + oneLine(message)}
		f.cause = fmt.Sprintf("%s failed: %s.", v.who(o.Ref), lowerFirst(strings.TrimSuffix(oneLine(message), ".")))
	}
	own := false
	for i := range found {
		if found[i].object == o.Ref && !endings[found[i].code] && found[i].confidence >= sure {
			found[i].hopeless, own = true, true
		}
	}
	if own {
		return nil // its pods tell a cause of their own
	}
	if reason == "DeadlineExceeded" {
		f.code = CodeJobDeadline
		f.cause = fmt.Sprintf("%s did not end in the time that it has (activeDeadlineSeconds).", v.who(o.Ref))
		f.fix = "Have it end sooner, or raise activeDeadlineSeconds in the chart."
	}
	if v.Hook != nil {
		f.fix = "See its log; the objects of the release were not brought up to date."
	}
	v.lastWords(o, &f)
	return []finding{f}
}

// endings are the codes of a container that ended by itself, which is a Job's own failure.
var endings = map[string]bool{
	CodeCrashLoop: true, CodeInit: true, CodeDNS: true, CodeDependency: true, CodeReadOnly: true, CodePortInUse: true, CodePermission: true,
	CodeSetting: true, CodeDiskFull: true, CodeProbe: true, CodePort: true, CodeNode: true,
}

// lastWords adds how the newest pod of a Job ended, and what it said.
func (v *view) lastWords(o Object, f *finding) {
	pods := slices.Clone(v.pods[o.Ref])
	slices.SortStableFunc(pods, func(a, b Pod) int { return b.Created.Compare(a.Created) })
	for _, p := range pods {
		for _, c := range p.Containers {
			end := c.end()
			if end == nil || end.Code == 0 || c.Running {
				continue
			}
			log := v.log(p, c)
			f.at, f.log = end.Finished, log.Lines
			cause := fmt.Sprintf("container %s ended with exit code %d%s", quote(c.Name), end.Code, meaning(end.Code))
			if s, line, match := recognise(log.Lines); s != nil {
				f.line = line
				said, fix := s.say(v, p, c, match, f)
				cause += ": " + said
				if fix != "" {
					f.fix = fix
				}
			}
			if f.code == CodeJobDeadline {
				cause = strings.TrimSuffix(f.cause, ".") + "; its " + cause
			} else {
				cause = v.who(o.Ref) + " failed: " + cause
			}
			f.cause = cause + "."
			return
		}
	}
}

// hook makes what was found about a hook that is waited for a hook's failure.
func (v *view) hook(all []finding) []finding {
	if v.Hook == nil {
		return nil
	}
	for i := range all {
		if f := &all[i]; f.object == v.Hook.Ref && (f.code == CodeJob || endings[f.code] && (f.hopeless || v.Over)) {
			f.code = preview.CodeHook
		}
	}
	o := v.byRef[v.Hook.Ref]
	if !v.Over || o == nil || o.Ready || slices.ContainsFunc(all, func(f finding) bool { return f.object == o.Ref && f.confidence >= sure }) {
		return nil
	}
	f := finding{
		code: CodeHookTimeout, object: o.Ref, hopeless: true, confidence: certain,
		cause: fmt.Sprintf("%s has not ended within %s.", v.who(o.Ref), v.Limit),
		fix:   "Make it end sooner, or give it more time in the configuration.",
	}
	for _, p := range v.pods[o.Ref] {
		for _, c := range p.Containers {
			if c.Running {
				f.log = v.liveLog(p, c).Lines
			}
		}
		f.evidence = told(warnings(v.podEvents(p)), 4)
	}
	if len(f.evidence) == 0 {
		f.evidence = append(told(warnings(v.fresh(*o)), 4), v.state(*o))
	}
	return []finding{f}
}
