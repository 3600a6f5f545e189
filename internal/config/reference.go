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
	for _, k := range keysOf(reflect.TypeFor[Config](), "") {
		doc := k.Doc
		if k.Type == "list" {
			doc += " As a variable: YAML or JSON."
		}
		kind := k.Type
		if kind == "texts" {
			kind = "list of text"
			doc += " As a variable: separated by spaces or commas."
		}
		row(k.Path, kind, k.Default, k.Env(), doc, k.Required)
		if k.Twin {
			row(k.Path+twinSuffix, "path", "", envName(k.Path+twinSuffix), "File that holds `"+k.Path+"`.", false)
		}
		if k.Type == "list" {
			for _, item := range keysOf(reflect.TypeFor[Repository](), k.Path+"[]") {
				row(item.Path, strings.Replace(item.Type, "texts", "list of text", 1), item.Default, "", item.Doc, item.Required)
			}
		}
	}
	return b.String()
}
