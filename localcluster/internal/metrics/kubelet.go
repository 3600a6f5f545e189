package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// window is over what time the kubelet takes its mean of the processor, roughly.
const window = 15 * time.Second

// summary is the little of the kubelet's /stats/summary that is told.
type summary struct {
	Node usage `json:"node"`
	Pods []struct {
		PodRef     struct{ Name, Namespace string } `json:"podRef"`
		Containers []usage                          `json:"containers"`
	} `json:"pods"`
}

// usage is what a container or the node uses. What the kubelet has not counted yet is not there.
type usage struct {
	Name string `json:"name"`
	CPU  *struct {
		Time           time.Time `json:"time"`
		UsageNanoCores *uint64   `json:"usageNanoCores"`
	} `json:"cpu"`
	Memory *struct {
		WorkingSetBytes *uint64 `json:"workingSetBytes"`
	} `json:"memory"`
}

// counted reports whether both are known.
func (u usage) counted() bool {
	return u.CPU != nil && u.CPU.UsageNanoCores != nil && u.Memory != nil && u.Memory.WorkingSetBytes != nil
}

func (u usage) quantities() obj {
	return obj{"cpu": strconv.FormatUint(*u.CPU.UsageNanoCores, 10) + "n", "memory": strconv.FormatUint(*u.Memory.WorkingSetBytes/1024, 10) + "Ki"}
}

// ask reads what the kubelet has counted.
func (s *Server) ask(ctx context.Context) (all summary, err error) {
	b, err := s.client.CoreV1().RESTClient().Get().Resource("nodes").Name(s.node).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
	if err != nil {
		return all, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return all, fmt.Errorf("read the kubelet's summary: %w", err)
	}
	return all, nil
}

func (s *Server) nodes(r *http.Request, asked request) ([]obj, error) {
	if asked.name != "" && asked.name != s.node {
		return nil, errNone
	}
	all, err := s.ask(r.Context())
	if err != nil {
		return nil, err
	}
	if !all.Node.counted() {
		if asked.name != "" {
			return nil, errNone
		}
		return []obj{}, nil
	}
	return []obj{{
		"kind": "NodeMetrics", "apiVersion": version, "metadata": obj{"name": s.node}, "timestamp": stamp(all.Node.CPU.Time), "window": window.String(),
		"usage": all.Node.quantities(),
	}}, nil
}

func (s *Server) pods(r *http.Request, asked request) ([]obj, error) {
	all, err := s.ask(r.Context())
	if err != nil {
		return nil, err
	}
	wanted, err := s.labelled(r.Context(), asked)
	if err != nil {
		return nil, err
	}
	items := []obj{}
	for _, p := range all.Pods {
		if asked.namespace != "" && p.PodRef.Namespace != asked.namespace || asked.name != "" && p.PodRef.Name != asked.name {
			continue
		}
		if wanted != nil && !wanted[p.PodRef.Namespace+"/"+p.PodRef.Name] {
			continue
		}
		if item := podOf(p.PodRef.Namespace, p.PodRef.Name, p.Containers); item != nil {
			items = append(items, item)
		}
	}
	if asked.name != "" && len(items) == 0 {
		return nil, errNone
	}
	return items, nil
}

// labelled is the pods that a selector takes; nil when it takes all. The kubelet does not tell labels.
func (s *Server) labelled(ctx context.Context, asked request) (map[string]bool, error) {
	if asked.labels.Empty() {
		return nil, nil //nolint:nilnil // no selection is a value of its own
	}
	list, err := s.client.CoreV1().Pods(asked.namespace).List(ctx, metav1.ListOptions{LabelSelector: asked.labels.String()})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for i := range list.Items {
		found[list.Items[i].Namespace+"/"+list.Items[i].Name] = true
	}
	return found, nil
}

// podOf is a pod that is counted in full; nil when one of its containers is not yet.
func podOf(namespace, name string, containers []usage) obj {
	var list []obj
	var at time.Time
	for _, c := range containers {
		if !c.counted() {
			return nil
		}
		at = c.CPU.Time
		list = append(list, obj{"name": c.Name, "usage": c.quantities()})
	}
	if len(list) == 0 {
		return nil
	}
	return obj{
		"kind": "PodMetrics", "apiVersion": version, "metadata": obj{"name": name, "namespace": namespace}, "timestamp": stamp(at), "window": window.String(), "containers": list,
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
