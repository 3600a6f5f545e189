package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference returns all keys as a Markdown table: type, default, environment variable, description. It is made from the
// same tags that Load reads.
func Reference() string {
	var b strings.Builder
	b.WriteString("| Key | Type | Default | Environment variable | Description |\n|---|---|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`, "*", `\*`)
	row := func(path, kind, def, env, doc string, required bool) {
		doc = escape.Replace(doc)
		if required {
			doc = "**Required.** " + doc
		}
		if def != "" {
			def = "`" + def + "`"
		}
		if env != "" {
			env = "`" + env + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", path, kind, def, env, doc)
	}
	var items func(list key)
	items = func(list key) {
		if list.Type != "list" || list.Elem.Kind() != reflect.Struct {
			return
		}
		for _, item := range keysOf(list.Elem, list.Path+"[]") {
			row(item.Path, item.Type, item.Default, "", item.Doc, item.Required)
			items(item)
		}
	}
	for _, k := range keysOf(reflect.TypeFor[Config](), "") {
		doc := k.Doc
		if k.Type == "list" {
			doc += " As a variable: YAML or JSON."
		}
		row(k.Path, k.Type, k.Default, k.Env(), doc, k.Required)
		if k.Twin {
			row(k.Path+twinSuffix, "path", "", envName(k.Path+twinSuffix), "File that holds `"+k.Path+"`.", false)
		}
		items(k)
	}
	return b.String()
}
