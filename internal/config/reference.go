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
	row := func(path, kind, def, env, doc string) {
		if def != "" {
			def = "`" + def + "`"
		}
		if env != "" {
			env = "`" + env + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", path, kind, def, env, strings.ReplaceAll(doc, "|", `\|`))
	}
	for _, k := range keysOf(reflect.TypeFor[Config](), "") {
		def := k.Default
		doc := k.Doc
		if k.Required {
			doc = "**Required.** " + doc
		}
		if k.Type == "list" {
			doc += " As a variable: YAML or JSON."
		}
		row(k.Path, k.Type, def, k.Env(), doc)
		if k.Twin {
			row(k.Path+twinSuffix, "path", "", envName(k.Path+twinSuffix), "File that holds `"+k.Path+"`.")
		}
		if k.Type == "list" {
			for _, item := range keysOf(reflect.TypeFor[Repository](), k.Path+"[]") {
				if item.Required {
					item.Doc = "**Required.** " + item.Doc
				}
				row(item.Path, item.Type, item.Default, "", item.Doc)
			}
		}
	}
	return b.String()
}
