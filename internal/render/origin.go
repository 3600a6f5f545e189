package render

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"catalyst.dev/catalyst/internal/chart"
)

// origin says where in the repository a value is written, as "FILE:LINE"; "" when what counts there was written by nobody of the repository: by
// the operator, by Catalyst, or in a dependency's own defaults. at is the way to the value, values what the chart sees.
func (j *job) origin(at []string, values map[string]any) string {
	var seen any = values
	for _, key := range at {
		seen = inside(seen, key)
	}
	for _, f := range j.written() {
		if line := lineOf(f.Data, at, seen); line > 0 {
			return f.Name + ":" + strconv.Itoa(line)
		}
	}
	return ""
}

// written are the files that values are read from, named as the repository has them, the one that wins first.
func (j *job) written() []chart.File {
	var list []chart.File
	folder := ""
	if l := j.request.Layers; l != nil && l.Chart != nil {
		folder = l.Chart.Path
		if l.Chart.Values != nil {
			list = append(list, *l.Chart.Values)
		}
	}
	for _, f := range j.request.Files {
		if f.Name == "values.yaml" {
			list = append(list, chart.File{Name: path.Join(folder, f.Name), Data: f.Data})
		}
	}
	return list
}

// inside returns what a map or a list holds under a key or a number; nil when it holds nothing there.
func inside(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[key]
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// lineOf is the line of a values file where the value is written that the chart sees; 0 when another one is, or none.
func lineOf(data []byte, at []string, seen any) int {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil || len(root.Content) == 0 {
		return 0
	}
	node := root.Content[0]
	line := node.Line
	for _, key := range at {
		var name *yaml.Node
		if name, node = child(node, key); node == nil {
			return 0
		}
		line = name.Line
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind == yaml.ScalarNode && !same(node, seen) {
		return 0
	}
	return line
}

// child finds what a node holds under a key or a number, with the node that its line is told by: the key, where there is one.
func child(node *yaml.Node, key string) (name, value *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	}
	return nil, nil
}

// same reports whether a scalar is the value: a line above may have been overruled.
func same(node *yaml.Node, seen any) bool {
	if seen == nil {
		return node.Tag == "!!null"
	}
	text := fmt.Sprint(seen)
	if strings.EqualFold(node.Value, text) {
		return true
	}
	a, errA := strconv.ParseFloat(node.Value, 64)
	b, errB := strconv.ParseFloat(text, 64)
	return errA == nil && errB == nil && a == b
}
