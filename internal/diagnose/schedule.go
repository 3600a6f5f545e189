package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// placeGrace is how long no node may fit before that is believed: nodes come and go.
const placeGrace = 5 * time.Second

var (
	insufficient = regexp.MustCompile(`Insufficient ([\w/-]+(?:\.[\w/-]+)*)`)
	taint        = regexp.MustCompile(`\{([^}]+)\}`)
)

// noNode looks at a pod that the scheduler cannot place.
func (v *view) noNode(p Pod) *finding {
	n := p.NoNode
	message := oneLine(n.Message)
	if cut := strings.Index(message, " preemption:"); cut > 0 {
		message = strings.TrimSuffix(message[:cut], ",")
	}
	f := &finding{
		code: CodeUnschedulable, object: p.Owner, at: n.Since, confidence: certain, evidence: []string{"FailedScheduling: " + oneLine(n.Message)},
		waits: "waits for a node for pod " + quote(p.Name) + ": " + message,
	}
	waited := v.Now.Sub(n.Since) >= placeGrace
	helped := v.scaling(p)
	who := v.who(p.Owner)
	switch {
	case lacks(n.Message).text != "" && strings.Contains(n.Message, "persistentvolumeclaim"):
		lacking := v.lacking(p, who, lacks(n.Message), "FailedScheduling: "+message)
		lacking.at, lacking.hopeless = n.Since, v.Now.Sub(n.Since) >= configGrace
		return lacking
	case strings.Contains(n.Message, "unbound immediate PersistentVolumeClaims"), strings.Contains(n.Message, "persistent volumes to bind"), strings.Contains(n.Message, "available persistent volumes"):
		f.code, f.soft = CodeClaim, true
		f.cause = "The pods of " + who + " wait for a volume: " + list(p.Claims) + " is not bound."
		f.fix = "See why the claim gets no volume."
	// Where some nodes have no room and others do not fit, room is what is missing: control planes keep everybody off.
	case insufficient.MatchString(n.Message), strings.Contains(n.Message, "Too many pods"):
		v.full(p, f)
		f.hopeless = f.hopeless && waited && !helped
	case hasAny(n.Message, "node affinity/selector", "untolerated taint", "didn't tolerate", "pod affinity rules", "requested node name", "node affinity conflict", "didn't match PersistentVolume"):
		v.misfit(p, f)
		f.hopeless = waited && !helped
	default:
		f.confidence = sure
		f.cause = "No node takes the pods of " + who + ": " + message
		f.fix = "See what the scheduler says in the evidence."
	}
	if helped {
		f.waits += "; more nodes are on their way"
	}
	return f
}

// scaling reports whether something is adding, or may be adding, nodes for the pod.
func (v *view) scaling(p Pod) bool {
	events := v.podEvents(p)
	for _, e := range slices.Backward(events) {
		switch e.Reason {
		case "TriggeredScaleUp", "Nominated":
			return true
		case "NotTriggerScaleUp":
			return false
		}
	}
	// Where nobody knows what the nodes are like, or they are of a kind that comes by itself, time will tell.
	return !v.Nodes.Known || v.Nodes.Scaled
}

// misfit is about a pod whose wishes no node meets.
func (v *view) misfit(p Pod, f *finding) {
	var wishes []string
	message := p.NoNode.Message
	if strings.Contains(message, "affinity/selector") {
		wish := "no node has the labels it asks for (nodeSelector, affinity)"
		if p.NoNode.Selector != "" {
			wish = "no node has the labels it asks for, " + quote(p.NoNode.Selector)
		}
		wishes = append(wishes, wish)
	}
	if hasAny(message, "untolerated taint", "didn't tolerate") {
		wish := "nodes keep it off with taints that it does not tolerate"
		if m := taint.FindStringSubmatch(message); m != nil {
			wish = "nodes keep it off with the taint " + quote(m[1]) + ", which it does not tolerate"
		}
		wishes = append(wishes, wish)
	}
	if len(wishes) == 0 {
		wishes = []string{"no node meets what it asks for"}
	}
	f.cause = "No node fits " + v.who(p.Owner) + ": " + strings.Join(wishes, "; ") + "."
	f.fix = "Take nodeSelector and affinity out of the preview's values, or add the tolerations that the nodes want."
}

// full is about a pod that asks for more than is free.
func (v *view) full(p Pod, f *finding) {
	f.code, f.confidence = CodeNoCapacity, sure
	var lack []string
	for _, m := range insufficient.FindAllStringSubmatch(p.NoNode.Message, -1) {
		if !slices.Contains(lack, m[1]) {
			lack = append(lack, m[1])
		}
	}
	if len(lack) == 0 {
		lack = []string{"room for pods"}
	}
	f.cause = "No node has enough " + strings.Join(lack, " and ") + " free for " + v.who(p.Owner) + "."
	f.fix = "Ask for less in resources.requests, free some room (other previews), or have a node added."
	for _, one := range []struct {
		name         string
		asked, large float64
		amount       func(float64) string
	}{{"memory", p.NoNode.Memory, v.Nodes.Memory, bytesText}, {"cpu", p.NoNode.CPU, v.Nodes.CPU, coresText}} {
		if slices.Contains(lack, one.name) && v.Nodes.Known && one.asked > one.large && one.large > 0 {
			f.hopeless, f.confidence, f.blame = true, certain, "config"
			f.cause = fmt.Sprintf("%s asks for %s of %s, and the largest node has %s.", upperFirst(v.who(p.Owner)), one.amount(one.asked), one.name, one.amount(one.large))
			f.fix = "Ask for less in resources.requests of the preview's values."
		} else if slices.Contains(lack, one.name) && one.asked > 0 {
			f.cause = strings.TrimSuffix(f.cause, ".") + fmt.Sprintf("; it asks for %s of %s.", one.amount(one.asked), one.name)
		}
	}
}

func coresText(n float64) string {
	if n < 1 {
		return strconv.FormatFloat(n*1000, 'f', 0, 64) + "m"
	}
	return strconv.FormatFloat(n, 'g', 4, 64)
}

func bytesText(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1 << 40, "Ti"}, {1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}} {
		if n >= unit.size {
			return strconv.FormatFloat(n/unit.size, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}
