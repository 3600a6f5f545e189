package config

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
	yamlnode "go.yaml.in/yaml/v3"

	"catalyst.dev/catalyst/internal/preview"
)

// Load reads the configuration: defaults, under the YAML file at path (none when path is empty), under the variables in
// environ ("NAME=value", as of os.Environ; an empty value counts as not set). A secret X may come from the file that X_file
// names; relative paths start at the working directory. A file that cannot be read or parsed is an error of its own; all
// other mistakes come together, as Mistakes. Both are preview.ErrInvalid.
func Load(path string, environ []string) (Config, error) {
	l := loader{position: map[string]string{}, keys: keysOf(reflect.TypeFor[Config](), "")}
	layers, err := l.read(path, environ)
	if err != nil {
		return Config{}, err
	}
	var c Config
	l.section(reflect.ValueOf(&c).Elem(), layers, "")
	c.inherit()
	l.validate(c)
	if len(l.mistakes) > 0 {
		return Config{}, l.mistakes
	}
	return c, nil
}

// loader collects the mistakes of one Load, and knows where each value came from.
type loader struct {
	keys     []key
	position map[string]string // key path → "catalyst.yaml:12" or the name of a variable
	mistakes Mistakes
}

// wrong notes a mistake. Only the first one for a key and all below it counts: the others follow from it.
func (l *loader) wrong(path, value, problem string) {
	if slices.ContainsFunc(l.mistakes, func(m Mistake) bool { return m.Key == path || strings.HasPrefix(path, m.Key+".") }) {
		return
	}
	l.mistakes = append(l.mistakes, Mistake{Key: path, Value: value, Problem: problem, Position: l.positionOf(path)})
}

// positionOf is the position of a key, or else of the nearest key around it.
func (l *loader) positionOf(path string) string {
	for p := path; p != ""; p = p[:max(0, strings.LastIndexAny(p, ".["))] {
		for _, at := range []string{p, p + twinSuffix} {
			if pos, ok := l.position[at]; ok {
				return pos
			}
		}
	}
	return ""
}

// read merges the file and the environment.
func (l *loader) read(path string, environ []string) (map[string]any, error) {
	merged := koanf.New(".")
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w: %w", err, preview.ErrInvalid)
		}
		if err := merged.Load(text(data), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("read configuration %s: %w: %w", path, err, preview.ErrInvalid)
		}
		l.locate(path, data)
	}
	variables := koanf.New(".")
	provider := env.Provider(".", env.Opt{
		Prefix:        envPrefix,
		TransformFunc: l.variable,
		EnvironFunc:   func() []string { return slices.Sorted(slices.Values(environ)) },
	})
	if err := variables.Load(provider, nil); err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	for _, k := range l.keys {
		if variables.Exists(k.Path) || variables.Exists(k.Path+twinSuffix) {
			// The variable replaces the file's value as a whole: neither its twin nor parts of a map survive.
			merged.Delete(k.Path)
			if k.Twin {
				merged.Delete(k.Path + twinSuffix)
			}
			maps.DeleteFunc(l.position, func(path, _ string) bool {
				return strings.HasPrefix(path, k.Path+"[") || strings.HasPrefix(path, k.Path+".")
			})
		}
	}
	if err := merged.Merge(variables); err != nil {
		return nil, fmt.Errorf("merge environment into configuration: %w", err)
	}
	return merged.Raw(), nil
}

// serviceVariable matches what Kubernetes puts into every container for a Service called catalyst, or catalyst-anything.
var serviceVariable = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|ADDR|PORT))?)?$`)

// variable gives the key path and the value of a variable; an empty path drops it.
func (l *loader) variable(name, value string) (string, any) {
	if value == "" {
		return "", nil
	}
	var known []string
	for _, k := range l.keys {
		if name == k.Env() {
			l.position[k.Path] = name
			return k.Path, l.structured(k, value)
		}
		if k.Twin && name == envName(k.Path+twinSuffix) {
			l.position[k.Path] = name
			return k.Path + twinSuffix, value
		}
		known = append(known, k.Env())
		if k.Twin {
			known = append(known, envName(k.Path+twinSuffix))
		}
	}
	// Only what was surely meant for the server is a mistake: commands have variables of their own.
	section, _, _ := strings.Cut(strings.TrimPrefix(name, envPrefix), "_")
	meant := slices.ContainsFunc(l.keys, func(k key) bool { return strings.HasPrefix(k.Path, strings.ToLower(section)+".") })
	near := slices.ContainsFunc(known, func(k string) bool { return distance(name, k) <= 2 })
	if (meant || near) && !serviceVariable.MatchString(name) {
		l.mistakes = append(l.mistakes, Mistake{Key: name, Problem: "no such variable" + didYouMean(name, known)})
	}
	return "", nil
}

// structured parses the text of a variable that stands for a list or a map.
func (l *loader) structured(k key, value string) any {
	if k.Type != "list" && k.Type != "map" {
		return value
	}
	var parsed any
	if err := yamlnode.Unmarshal([]byte(value), &parsed); err != nil {
		l.wrong(k.Path, shown(value), "expected a "+k.Type+" as YAML or JSON: "+err.Error())
		return nil
	}
	return parsed
}

// locate notes the line of every key in the file.
func (l *loader) locate(path string, data []byte) {
	var root yamlnode.Node
	if err := yamlnode.Unmarshal(data, &root); err != nil || len(root.Content) == 0 {
		return
	}
	var walk func(n *yamlnode.Node, prefix string)
	walk = func(n *yamlnode.Node, prefix string) {
		switch n.Kind {
		case yamlnode.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				child := join(prefix, n.Content[i].Value)
				l.position[child] = fmt.Sprintf("%s:%d", path, n.Content[i].Line)
				walk(n.Content[i+1], child)
			}
		case yamlnode.SequenceNode:
			for i, item := range n.Content {
				child := fmt.Sprintf("%s[%d]", prefix, i)
				l.position[child] = fmt.Sprintf("%s:%d", path, item.Line)
				walk(item, child)
			}
		}
	}
	walk(root.Content[0], "")
}

// text is a koanf provider of bytes in memory.
type text []byte

func (t text) ReadBytes() ([]byte, error)    { return t, nil }
func (t text) Read() (map[string]any, error) { return nil, fmt.Errorf("text needs a parser") }
