package main

import (
	"fmt"
	"strings"
)

// dependencies are what a chart can ask to be fetched (S5).
func dependencies(b bait) []hostile {
	wants := func(dependency string) source {
		return inChart("Chart.yaml", chartFile+"dependencies: ["+dependency+"]\n", "templates/a.yaml", object(""))
	}
	vendor := "missing in charts/ directory"
	return []hostile{
		{name: "dependency from a server", archive: wants(`{name: db, version: 1.0.0, repository: "` + b.server + `"}`), codes: invalid, text: vendor},
		{name: "dependency from the metadata address", archive: wants(`{name: db, version: 1.0.0, repository: "http://169.254.169.254/latest"}`), codes: invalid, text: vendor},
		{name: "dependency from a file", archive: wants(`{name: db, version: 1.0.0, repository: "file://../../../../etc"}`), codes: invalid, text: vendor},
		{name: "dependency from a registry", archive: wants(`{name: db, version: 1.0.0, repository: "oci://` + strings.TrimPrefix(b.server, "http://") + `/x"}`), codes: invalid, text: vendor},
		{name: "dependency by another name", archive: wants(`{name: db, alias: "../../x", version: ">0", repository: "` + b.server + `"}`), codes: invalid},
		{name: "dependency in requirements.yaml", archive: inChart("Chart.yaml", "apiVersion: v1\nname: web\nversion: 1.0.0\n",
			"requirements.yaml", `dependencies: [{name: db, version: 1.0.0, repository: "`+b.server+`"}]`), codes: invalid, text: vendor},
		{name: "dependency that is nothing", archive: wants("null"), codes: invalid},
		{name: "vendored bomb", archive: inChart("charts/db-1.0.0.tgz", tarball("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "db/zeros", strings.Repeat("\x00", 150<<20))), codes: eitherLoad},
		{name: "vendored way up", archive: inChart("charts/db-1.0.0.tgz", tarball("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "db/../../../etc/evil", "x")), codes: invalid},
		{name: "vendored absolute name", archive: inChart("charts/db-1.0.0.tgz", tarball("/etc/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n")), codes: invalid},
		{name: "vendored garbage", archive: inChart("charts/db-1.0.0.tgz", "not an archive"), codes: invalid},
	}
}

// metadata is what a chart can say about itself (S6).
func metadata() []hostile {
	says := func(text string) source { return inChart("Chart.yaml", text, "templates/a.yaml", object("")) }
	return []hostile{
		{name: "name with a way up", archive: says("apiVersion: v2\nname: ../../x\nversion: 1.0.0\n"), codes: invalid},
		{name: "name of dots", archive: says("apiVersion: v2\nname: ..\nversion: 1.0.0\n"), codes: invalid},
		{name: "version with escapes", archive: says("apiVersion: v2\nname: web\nversion: \"\\e[31m1.0.0\"\n"), codes: invalid},
		{name: "maintainer that is nothing", archive: says(chartFile + "maintainers: [null]\n"), codes: invalid},
		{name: "NUL in Chart.yaml", archive: says("\x00"), codes: invalid},
		{name: "alias bomb in Chart.yaml", archive: says(chartFile + aliasBomb()), codes: invalid, text: "aliasing"},
		{name: "deep Chart.yaml", archive: says(chartFile + "annotations: " + nested(20_000, "[", "", "]")), codes: eitherLoad},
		{name: "Chart.yaml that is a list", archive: says("- a\n"), codes: invalid},
		{name: "Chart.yaml that never ends", archive: says(chartFile + "description: " + strings.Repeat("x", 4<<20) + "\nkubeVersion: nonsense\n"), codes: rendering, text: "kubeVersion"},
		{name: "huge kubeVersion", archive: says(chartFile + "kubeVersion: \"" + strings.Repeat(">1 || ", 100_000) + ">1\"\n"), codes: stopped},
		{name: "library", archive: says(chartFile + "type: library\n"), codes: invalid, text: "library"},
		{name: "type that does not exist", archive: says(chartFile + "type: daemon\n"), codes: invalid},
		{name: "name as a command", archive: inChart("Chart.yaml", "apiVersion: v2\nname: \"$(id)\\n\\e]0;x\\a\"\nversion: 1.0.0\n", "templates/a.yaml", "{{ fail .Chart.Name }}"), codes: []string{"CHART_INVALID", "RENDER"}},
	}
}

// schemas are what values.schema.json can do: Helm's own validation follows references to servers and files.
func schemas(b bait) []hostile {
	says := func(text string) source { return inChart("values.schema.json", text, "templates/a.yaml", object("")) }
	return []hostile{
		{name: "schema from a server", archive: says(`{"$ref": "` + b.server + `/latest/meta-data/iam"}`), codes: values, text: "not followed"},
		{name: "schema of a subchart from a server", archive: inChart("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n",
			"charts/db/values.schema.json", `{"$ref": "`+b.server+`/sub"}`), codes: values, text: "not followed"},
		{name: "schema of a schema from a server", archive: says(`{"$schema": "` + b.server + `/meta"}`), codes: values, text: "not followed"},
		{name: "schema with a base on a server", archive: says(`{"$id": "` + b.server + `/a/", "properties": {"a": {"$ref": "b"}}}`), codes: values, text: "not followed"},
		{name: "schema from a file", archive: says(`{"$ref": "file://` + b.file + `"}`), codes: values, text: "not followed"},
		{name: "schema from a device", archive: says(`{"$ref": "file:///dev/zero"}`), codes: values, text: "not followed"},
		{name: "schema that is itself", archive: says(`{"$ref": "#"}`), codes: values},
		{name: "schema with a bomb of a pattern", archive: says(`{"properties": {"image": {"pattern": "((a{100}){100}){100}"}}}`), codes: values},
		{name: "deep schema", archive: says(nested(50_000, `{"not":`, "{}", "}")), codes: []string{"VALUES", "RENDER_LIMIT", "RENDER"}},
		{name: "schema that doubles", archive: says(doubling(40)), codes: []string{"VALUES", "RENDER_LIMIT"}},
		{name: "schema that is no JSON", archive: says("{"), codes: values},
	}
}

// doubling is a schema whose check takes twice as long with each step.
func doubling(steps int) string {
	var b strings.Builder
	b.WriteString(`{"definitions": {"d0": {"required": ["nothing-has-this"]}`)
	for i := 1; i <= steps; i++ {
		fmt.Fprintf(&b, `, "d%d": {"anyOf": [{"$ref": "#/definitions/d%d"}, {"$ref": "#/definitions/d%d"}]}`, i, i-1, i-1)
	}
	fmt.Fprintf(&b, `}, "$ref": "#/definitions/d%d"}`, steps)
	return b.String()
}

// valueFiles are values that are hard to read.
func valueFiles() []hostile {
	own := func(text string) source {
		return inChart("values.yaml", text, "templates/a.yaml", "{{ fail (toJson .Values) }}")
	}
	plain := template("{{ fail (toJson .Values) }}")
	return []hostile{
		{name: "alias bomb in values.yaml", archive: own(aliasBomb()), codes: invalid, text: "aliasing"},
		{name: "alias bomb in the repository's values", archive: plain, values: aliasBomb(), codes: values, text: "aliasing"},
		{name: "deep values", archive: own("a: " + nested(200_000, "[", "", "]")), codes: []string{"CHART_INVALID", "RENDER_LIMIT"}},
		{name: "many values", archive: own("a: [" + strings.Repeat("[],", 1_600_000) + "]"), codes: []string{"CHART_INVALID", "RENDER_LIMIT", "RENDER"}},
		{name: "huge numbers", archive: inChart("values.yaml", "a: 1e400\nb: 99999999999999999999999999999999\n", "templates/a.yaml", "{{ fail (printf \"%v %v\" (int64 .Values.a) (until (int .Values.b))) }}"), codes: []string{"CHART_INVALID", "RENDER_LIMIT", "RENDER"}},
		{name: "values that are a list", archive: plain, values: "- a\n", codes: values},
		{name: "NUL in values", archive: own("a: \x00"), codes: invalid},
	}
}
