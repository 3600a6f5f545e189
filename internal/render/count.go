package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// tally counts what a chart rendered to, as reading it costs: objects, values in them, and bytes when every alias is written out.
type tally struct{ objects, nodes, bytes int }

// count reads the texts as Helm's client will, and refuses what is no object, and what is too much to be read in the server itself.
func (j *job) count(texts map[string]string) error {
	j.tell("the rendered objects")
	var t tally
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		j.tell(name)
		parts := releaseutil.SplitManifests(texts[name])
		keys := slices.Collect(maps.Keys(parts))
		sort.Sort(releaseutil.BySplitManifestsOrder(keys))
		for i, key := range keys {
			err := t.part(parts[key])
			if t.over() {
				return t.exceeded()
			}
			if err != nil && len(keys) > 1 {
				err = fmt.Errorf("document %d: %w", i+1, err)
			}
			if err != nil {
				return Failure(fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return nil
}

// part counts one part of a text, as Helm splits it. In the manifest a comment stands in front of it, in a hook nothing does, and only what
// starts like JSON is read differently for that.
func (t *tally) part(text string) error {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if err := t.stream(text); err != nil {
			return err
		}
	}
	err := t.stream("---\n# Source: x\n" + text + "\n")
	if err != nil && !t.over() {
		if bare := new(tally).stream(text); bare != nil {
			return bare // the line it names is the author's
		}
	}
	return err
}

// stream counts all documents of a text.
func (t *tally) stream(text string) error {
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.bytes += len(raw); t.over() {
			return errTooMuch
		}
		if raw = bytes.TrimSpace(raw); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		n, err := nodes(raw)
		if err != nil {
			return err
		}
		if t.nodes += n; t.over() {
			return errTooMuch
		}
		if err := t.document(raw); err != nil {
			return err
		}
	}
}

var errTooMuch = errors.New("too much")

// document counts the objects of a document. What has items is a list, whatever its kind says.
func (t *tally) document(raw []byte) error {
	var object struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return errors.New("a document is not a Kubernetes object")
	}
	if object.Kind == "" || object.APIVersion == "" {
		return errors.New("a document has no kind or no apiVersion")
	}
	if object.Items == nil {
		t.objects++
		return nil
	}
	for _, item := range object.Items {
		if err := t.document(item); err != nil {
			return err
		}
	}
	return nil
}

// nodes counts the values in a JSON text.
func nodes(raw []byte) (int, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	for n := 0; ; n++ {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil || n > maxNodes {
			return n, err
		}
	}
}

func (t *tally) over() bool {
	return t.objects > maxObjects || t.nodes > maxNodes || t.bytes > maxExpanded
}

func (t *tally) exceeded() error {
	switch {
	case t.objects > maxObjects:
		return exceeded(fmt.Sprintf("The chart renders to more than %d objects, which is the most a preview may have.", maxObjects))
	case t.nodes > maxNodes:
		return exceeded(fmt.Sprintf("The chart's objects hold more than %d values, which is the most a preview may have.", maxNodes))
	}
	return exceeded(fmt.Sprintf("The chart's objects are more than %d MiB when they are written out.", maxExpanded>>20))
}
