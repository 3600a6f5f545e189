package chart

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

var (
	templateLine  = regexp.MustCompile(`([\w.@+-]+(?:/[\w.@+-]+)+):(\d+)\b`)
	leadingDigits = regexp.MustCompile(`^\d+`)
	yamlLine      = regexp.MustCompile(`\byaml: line (\d+)\b`)
)

// Locate returns the file of the repository, and the line in it, that a failure to render names; "" when it names none. Of templates that call
// each other the innermost counts: that is where the mistake is. A line of what was rendered is nobody's.
func (c *Chart) Locate(d preview.Diagnosis) (file string, line int) {
	if file, line := c.written(d.Cause); file != "" {
		return file, line
	}
	text := strings.Join(append([]string{d.Cause}, d.Evidence...), "\n")
	for _, m := range templateLine.FindAllStringSubmatch(text, -1) {
		// The engine puts the chart's name, whatever its folder is called, in front.
		_, name, _ := strings.Cut(m[1], "/")
		if n, err := strconv.Atoi(m[2]); err == nil && n > 0 && c.has(name) {
			file, line = path.Join(c.Path, name), n
		}
	}
	if file != "" {
		return file, line
	}
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return "", 0
	}
	line, _ = strconv.Atoi(m[1]) // digits; one that does not fit is no line
	for _, name := range c.values() {
		if line > 0 && strings.Contains(d.Cause, name+" cannot be read") || line > 0 && strings.Contains(d.Cause, name+", cannot be read") {
			return name, line
		}
	}
	return "", 0
}

// written finds the line of a values file that a cause names, as the renderer tells where a value is written.
func (c *Chart) written(cause string) (file string, line int) {
	for _, name := range c.values() {
		_, rest, ok := strings.Cut(" "+cause, " "+name+":")
		if n, err := strconv.Atoi(leadingDigits.FindString(rest)); ok && err == nil && n > 0 {
			return name, n
		}
	}
	return "", 0
}

func (c *Chart) has(name string) bool {
	for _, f := range c.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// values are the files that values are read from, as the repository names them.
func (c *Chart) values() []string {
	names := []string{path.Join(c.Path, "values.yaml")}
	if c.Values != nil {
		names = append(names, c.Values.Name)
	}
	return names
}
