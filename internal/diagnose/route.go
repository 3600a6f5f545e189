package diagnose

import (
	"fmt"
	"slices"
)

// routes looks at what stands between the URL and the pods, and at the Services that something in trouble needs: each mistake
// here is one in the chart, and stays.
func (v *view) routes(troubles []finding) []finding {
	// An operator may make Services and pods that nobody here knows of, and what is not there yet may be what is led to.
	if slices.ContainsFunc(v.Objects, func(o Object) bool { return o.Custom || o.Absent }) {
		return nil
	}
	var found []finding
	for _, o := range v.Objects {
		if len(o.Backs) > 0 {
			found = append(found, v.ingress(o)...)
		}
	}
	for _, t := range troubles {
		for _, host := range t.hosts {
			if o := v.byRef[Ref{"Service", host}]; o != nil && o.Service != nil {
				if why, fix := v.leadsNowhere(*o); why != "" {
					found = append(found, v.mistake(o.Ref, o, why, fix))
				}
			}
		}
	}
	if v.Answer != nil && len(found) == 0 && len(troubles) == 0 {
		found = append(found, v.unanswered()...)
	}
	return found
}

// ingress is about an Ingress none of whose Services leads to a pod. One that works is enough for a preview to be worth looking at.
func (v *view) ingress(o Object) []finding {
	var f finding
	for _, back := range o.Backs {
		service := v.byRef[Ref{"Service", back.Object}]
		var why, fix string
		switch {
		case service == nil || service.Service == nil:
			why = fmt.Sprintf("%s sends to Service %s, which the release does not have.", o.Ref, quote(back.Object))
			fix = "Correct the Service's name in the Ingress."
		case !slices.ContainsFunc(service.Service.Ports, func(p ServicePort) bool {
			return back.Name != "" && p.Name == back.Name || back.Name == "" && p.Port == back.Number
		}):
			why = fmt.Sprintf("%s sends to port %s of Service %s, which has only %s.", o.Ref, back, quote(back.Object), portsOf(service.Service))
			fix = "Name one of the Service's ports in the Ingress."
		default:
			why, fix = v.leadsNowhere(*service)
		}
		if why == "" {
			return nil
		}
		if f.cause == "" {
			f = v.mistake(o.Ref, service, why, fix)
		}
	}
	return []finding{f}
}

// mistake is the finding of a way that leads nowhere, with what each side of it says as evidence.
func (v *view) mistake(r Ref, service *Object, why, fix string) finding {
	f := finding{code: CodeRoute, object: r, at: v.Began, hopeless: true, confidence: certain, cause: why, fix: fix}
	if o := v.byRef[r]; o != nil {
		for _, back := range o.Backs {
			f.evidence = append(f.evidence, fmt.Sprintf("%s: backend Service %s, port %s", r, quote(back.Object), back))
		}
	}
	if service == nil || service.Service == nil {
		return f
	}
	f.evidence = append(f.evidence, fmt.Sprintf("%s: selector %s", service.Ref, labelText(service.Service.Selector)))
	for _, p := range service.Service.Ports {
		f.evidence = append(f.evidence, fmt.Sprintf("%s: port %d, targetPort %s", service.Ref, p.Port, p.Target))
	}
	for _, o := range v.Objects {
		if o.Labels != nil {
			f.evidence = append(f.evidence, fmt.Sprintf("%s: pods labelled %s", o.Ref, labelText(o.Labels)))
		}
	}
	return f
}

// leadsNowhere says why a Service reaches no pod of the release and never will; "" when it does, or may.
func (v *view) leadsNowhere(o Object) (why, fix string) {
	s := o.Service
	if len(s.Selector) == 0 {
		return "", ""
	}
	var pods []Pod
	known := false
	for _, target := range v.Objects {
		if selects(s.Selector, target.Labels) {
			known = true
			pods = append(pods, v.pods[target.Ref]...)
		}
	}
	if !known && !slices.ContainsFunc(v.Pods, func(p Pod) bool { return selects(s.Selector, p.Labels) }) {
		return fmt.Sprintf("%s leads to no pod: its selector %s matches none of the release's pods.", o.Ref, quote(labelText(s.Selector))),
			"Make the Service's selector match the labels of the pods (spec.template.metadata.labels)."
	}
	for _, p := range pods {
		for _, port := range s.Ports {
			if port.Target.Name != "" && !slices.ContainsFunc(p.Containers, func(c Container) bool {
				return slices.ContainsFunc(c.Ports, func(x Port) bool { return x.Name == port.Target.Name })
			}) {
				return fmt.Sprintf("%s leads to no pod: its targetPort %s is not the name of a port of %s.", o.Ref, port.Target, v.who(p.Owner)),
					"Name a port of the container in targetPort, or write its number."
			}
			if why, fix := v.deafPort(o, p, port); why != "" {
				return why, fix
			}
		}
	}
	return "", ""
}

// deafPort is about a ready pod whose program says that it listens on another port than the one the Service sends to. Only a port that
// the pod does not declare is suspected.
func (v *view) deafPort(o Object, p Pod, port ServicePort) (why, fix string) {
	target := port.Target.Number
	if target == 0 && port.Target.Name == "" {
		target = port.Port
	}
	if target == 0 || p.ReadyAt.IsZero() || slices.ContainsFunc(p.Containers, func(c Container) bool { return declares(c, target) }) {
		return "", ""
	}
	for _, c := range p.Containers {
		if c.Init || len(c.Ports) == 0 || !c.Running {
			continue
		}
		line, other := v.elsewhere(v.liveLog(p, c).Lines, target)
		if line != "" && other != target && declares(c, other) {
			return fmt.Sprintf("%s sends to port %d of %s, which listens on %d.", o.Ref, target, v.who(p.Owner), other),
				fmt.Sprintf("Set the Service's targetPort to %d in the chart.", other)
		}
	}
	return "", ""
}

func labelText(labels map[string]string) string {
	text := ""
	for _, k := range sortedKeys(labels) {
		if text != "" {
			text += ","
		}
		text += k + "=" + labels[k]
	}
	return text
}

// unanswered is about a preview that is ready and whose URL does not say so.
func (v *view) unanswered() []finding {
	a := v.Answer
	f := finding{code: CodeRoute, at: v.Began, hopeless: true, confidence: 0.6}
	switch {
	case a.Error != "":
		f.cause = fmt.Sprintf("%s does not answer: %s.", a.URL, oneLine(a.Error))
		f.fix = "See that the name leads to the cluster's ingress controller."
	case a.Status == 502 || a.Status == 503 || a.Status == 504:
		f.cause = fmt.Sprintf("%s answers %d: the ingress controller reaches no pod.", a.URL, a.Status)
		f.because = "everything in the release is ready, and that answer is the ingress controller's"
		f.fix = "See that the Service's targetPort is the port the application listens on."
	case a.Status == 404:
		f.cause = fmt.Sprintf("%s answers 404: the ingress controller knows no such host, or the application no such page.", a.URL)
		f.fix = "See that the Ingress has the preview's host and the controller's class."
	default:
		return nil
	}
	return []finding{f}
}
