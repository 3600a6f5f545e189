package cluster

import (
	"bufio"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/diagnose"
)

const (
	// evidenceTime is how long a diagnosis waits for its evidence: a node may be silent.
	evidenceTime = 5 * time.Second
	// logsAtOnce and logsInAll bound the requests for logs: of one look, and of a whole wait.
	logsAtOnce, logsInAll = 6, 120
	// logLines is how much of a log's end is read; a stack may stand below the line that tells the cause.
	logLines, logBytes = 60, 16 << 10
)

var eventResource = schema.GroupVersionResource{Version: "v1", Resource: "events"}

// evidence is what is gathered beside the objects once something looks wrong.
type evidence struct {
	logs     []diagnose.Log
	asked    int  // requests for logs
	eventful bool // the events are known, and followed when something is there to follow them
	nodes    diagnose.Nodes
	noded    bool // the nodes were asked for
	found    []diagnose.Sought
	given    time.Time // when the first verdict without hope was reached
	follow   func(observer)
}

// gather fetches what the verdict would rest on and that is not there yet, and reports whether there is more to judge by now. Evidence is a
// help: what cannot be had in a few seconds the diagnosis stands without.
func (w *wait) gather(ctx context.Context, v diagnose.Verdict) bool {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	before := w.evidence.asked
	news := false
	if (v.Suspects || v.State == diagnose.Hopeless) && !w.evidence.eventful {
		w.evidence.eventful = true
		news = w.readEvents(ctx)
	}
	if w.lost() && !w.evidence.noded {
		w.evidence.noded = true
		w.evidence.nodes = w.c.largestNode(ctx)
		news = true
	}
	for _, s := range v.Seeks {
		if w.c.exists(ctx, w.id.Namespace, s) {
			w.evidence.found = append(w.evidence.found, s)
			news = true
		}
	}
	var wanted []diagnose.LogRef
	for _, ref := range v.Wants {
		if w.evidence.asked < logsInAll && len(wanted) < logsAtOnce {
			w.evidence.asked++
			wanted = append(wanted, ref)
		}
	}
	w.readLogs(ctx, wanted)
	return news || w.evidence.asked > before
}

// readEvents lists the events of the namespace, and has them followed from then on while the wait goes on.
func (w *wait) readEvents(ctx context.Context) bool {
	list, err := w.c.dynamic.Resource(eventResource).Namespace(w.id.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		w.c.log.DebugContext(ctx, "events not read", "namespace", w.id.Namespace, "err", err)
		return false
	}
	all := change{resource: eventResource, all: true}
	for i := range list.Items {
		all.objects = append(all.objects, &list.Items[i])
	}
	w.take(all)
	if w.evidence.follow != nil {
		w.evidence.follow(observer{c: w.c, resource: eventResource, namespace: w.id.Namespace})
	}
	return true
}

// events are those of the namespace, as far as they are known.
func (w *wait) events() []diagnose.Event {
	var all []diagnose.Event
	for k, object := range w.objects {
		if k.resource != eventResource {
			continue
		}
		var e corev1.Event
		if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &e) == nil {
			all = append(all, observedEvent(&e))
		}
	}
	return all
}

func observedEvent(e *corev1.Event) diagnose.Event {
	o := diagnose.Event{
		Ref: diagnose.Ref{Kind: e.InvolvedObject.Kind, Name: e.InvolvedObject.Name}, UID: string(e.InvolvedObject.UID),
		Warning: e.Type == corev1.EventTypeWarning, Reason: e.Reason, Message: e.Message,
		Count: max(1, int(e.Count)), First: e.FirstTimestamp.Time, Last: e.LastTimestamp.Time,
	}
	if o.First.IsZero() {
		o.First = e.EventTime.Time
	}
	if o.Last.IsZero() {
		o.Last = e.EventTime.Time
	}
	if e.Series != nil {
		o.Count, o.Last = max(o.Count, int(e.Series.Count)), e.Series.LastObservedTime.Time
	}
	if _, name, ok := strings.Cut(e.InvolvedObject.FieldPath, "{"); ok {
		o.Container = strings.TrimSuffix(name, "}")
	}
	return o
}

// readLogs reads the logs at the same time, and keeps for each the newest reading, also that there is none.
func (w *wait) readLogs(ctx context.Context, refs []diagnose.LogRef) {
	read := make([]diagnose.Log, len(refs))
	var reading sync.WaitGroup
	for i, ref := range refs {
		reading.Go(func() { read[i] = w.c.readLog(ctx, w.id.Namespace, ref) })
	}
	reading.Wait()
	for _, log := range read {
		w.evidence.logs = slices.DeleteFunc(w.evidence.logs, func(l diagnose.Log) bool { return l.LogRef == log.LogRef })
		w.evidence.logs = append(w.evidence.logs, log)
	}
}

// readLog reads the end of the log of one run. A container that crashes has begun its next run, or lost its last one, between the
// observation and the reading: when the run has said nothing, the words of the one beside it are taken.
func (c *Cluster) readLog(ctx context.Context, namespace string, ref diagnose.LogRef) diagnose.Log {
	log := c.readRun(ctx, namespace, ref)
	if len(log.Lines) > 0 {
		return log
	}
	beside := ref
	beside.Previous = !ref.Previous
	if other := c.readRun(ctx, namespace, beside); len(other.Lines) > 0 {
		other.LogRef = ref
		return other
	}
	return log
}

func (c *Cluster) readRun(ctx context.Context, namespace string, ref diagnose.LogRef) diagnose.Log {
	log := diagnose.Log{LogRef: ref, ReadAt: time.Now()}
	lines, size := int64(logLines), int64(logBytes)
	stream, err := c.client.CoreV1().Pods(namespace).GetLogs(ref.Pod, &corev1.PodLogOptions{
		Container: ref.Container, Previous: ref.Previous, TailLines: &lines, LimitBytes: &size, Timestamps: true,
	}).Stream(ctx)
	if err != nil {
		c.log.DebugContext(ctx, "log not read", "namespace", namespace, "pod", ref.Pod, "container", ref.Container, "previous", ref.Previous, "err", err)
		log.None = true
		return log
	}
	defer stream.Close()
	for scanner := bufio.NewScanner(stream); scanner.Scan(); {
		stamp, line, _ := strings.Cut(scanner.Text(), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			log.Last = at
		} else {
			line = scanner.Text()
		}
		if strings.HasPrefix(line, "unable to retrieve container logs for ") {
			log.None = true // the node's words, not the container's
			continue
		}
		log.Lines = append(log.Lines, line)
	}
	return log
}

// exists reports whether a Secret or ConfigMap is there, with the key if one is sought.
func (c *Cluster) exists(ctx context.Context, namespace string, s diagnose.Sought) bool {
	keys := map[string]bool{}
	if s.Kind == "Secret" {
		secret, err := c.client.CoreV1().Secrets(namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		for key := range secret.Data {
			keys[key] = true
		}
	} else {
		settings, err := c.client.CoreV1().ConfigMaps(namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		for key := range settings.Data {
			keys[key] = true
		}
		for key := range settings.BinaryData {
			keys[key] = true
		}
	}
	return s.Key == "" || keys[s.Key]
}

// lost reports whether there is a pod that no node takes.
func (w *wait) lost() bool {
	return slices.ContainsFunc(w.allPods(), func(p *corev1.Pod) bool {
		return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
		})
	})
}

// scalers are the beginnings of labels that nodes have where something adds more of them when they are needed.
var scalers = []string{"karpenter.sh/", "cloud.google.com/gke-nodepool", "eks.amazonaws.com/nodegroup", "kubernetes.azure.com/agentpool", "cluster-autoscaler.kubernetes.io/", "doks.digitalocean.com/node-pool"}

// largestNode says what the nodes could take at most. Catalyst needs no right to see them: without it nothing is known.
func (c *Cluster) largestNode(ctx context.Context) diagnose.Nodes {
	list, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		c.log.DebugContext(ctx, "nodes not read", "err", err)
		return diagnose.Nodes{}
	}
	found := diagnose.Nodes{Known: list.Continue == ""}
	for _, node := range list.Items {
		found.CPU = max(found.CPU, node.Status.Allocatable.Cpu().AsApproximateFloat64())
		found.Memory = max(found.Memory, node.Status.Allocatable.Memory().AsApproximateFloat64())
		for key := range node.Labels {
			found.Scaled = found.Scaled || slices.ContainsFunc(scalers, func(s string) bool { return strings.HasPrefix(key, s) })
		}
	}
	return found
}
