package main

import "strings"

// burners are templates that take time, memory or depth without end.
func burners() []hostile {
	return []hostile{
		{name: "loops in loops", archive: template("{{ range until 10000 }}{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}{{ end }}"), codes: overLimit, text: untilStopped},
		{name: "40 MB in a second", archive: template(`{{ range until 200000 }}{{ repeat 200 "A" }}{{ end }}`), codes: overLimit},
		{name: "output without end", archive: template(`{{ range until 10000000 }}{{ repeat 1000 "A" }}{{ end }}`), codes: overLimit, text: "templates/a.yaml"},
		{name: "include of itself", archive: template(`{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}`), codes: stopped, text: "templates/a.yaml"},
		{name: "template of itself", archive: template(`{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}`), codes: stopped, text: "templates/a.yaml"},
		{name: "tpl of itself", archive: inChart("values.yaml", "t: '{{ tpl .Values.t . }}'\n", "templates/a.yaml", "{{ tpl .Values.t . }}"), codes: stopped, text: "templates/a.yaml"},
		{name: "tpl that doubles", archive: inChart("values.yaml", "t: '{{ tpl (cat .Values.t .Values.t) . }}'\n", "templates/a.yaml", "{{ tpl .Values.t . }}"), codes: stopped},
		{name: "two billion numbers", archive: template("{{ range until 2000000000 }}{{ end }}"), codes: overLimit, text: "memory"},
		{name: "text of two gigabytes", archive: template(`{{ repeat 2000000000 "a" | len }}`), codes: stopped},
		{name: "random text of a gigabyte", archive: template(`{{ randAlphaNum 1000000000 | len }}`), codes: stopped},
		{name: "keys", archive: template(`{{ range until 100000 }}{{ genPrivateKey "rsa" }}{{ end }}`), codes: overLimit, text: untilStopped},
		{name: "certificate authorities", archive: template(`{{ range until 100000 }}{{ $ca := genCA "x" 365 }}{{ end }}`), codes: overLimit, text: untilStopped},
		{name: "passwords", archive: template(`{{ range until 100000 }}{{ htpasswd "a" "b" }}{{ derivePassword 1 "long" "a" "b" "c" }}{{ end }}`), codes: overLimit, text: untilStopped},
		{name: "pattern of patterns", archive: template(`{{ mustRegexMatch "((a{100}){100}){100}" "a" }}`), codes: rendering, text: "invalid repeat count"},
		{name: "pattern that would backtrack", archive: template(`{{ range until 100000 }}{{ regexMatch "(a*)*(a*)*(a*)*b" (repeat 100000 "a") }}{{ end }}`), codes: overLimit, text: untilStopped},
		{name: "map in itself", archive: template(`{{ $d := dict }}{{ $_ := set $d "self" $d }}{{ printf "%v" $d }}`), codes: stopped},
		{name: "map in itself, copied", archive: template(`{{ $d := dict }}{{ $_ := set $d "self" $d }}{{ $c := deepCopy $d }}`), codes: stopped},
		{name: "map in itself, compared", archive: template(`{{ $d := dict }}{{ $_ := set $d "self" $d }}{{ $e := dict }}{{ $_ := set $e "self" $e }}{{ range until 1000 }}{{ $_ := deepEqual $d $e }}{{ end }}{{ $m := mergeOverwrite $d $e }}{{ fail "came through" }}`), codes: stopped},
		{name: "map that doubles", archive: template(`{{ $d := dict "a" "b" }}{{ range until 40 }}{{ $d = dict "l" $d "r" $d }}{{ end }}{{ toJson $d | len }}`), codes: overLimit},
		{name: "deep text as YAML", archive: template(`{{ fail (toString (fromYaml (repeat 1000000 "["))) }}`), codes: stopped},
		{name: "deep text as JSON", archive: template(`{{ fail (toString (fromJson (repeat 5000000 "["))) }}`), codes: stopped},
		{name: "deep template", archive: template(nested(250_000, "{{if true}}", "x", "{{end}}")), codes: stopped},
		{name: "deep parentheses", archive: template("{{ " + nested(500_000, "(", "1", ")") + " }}"), codes: stopped},
		{name: "panic", archive: template(`{{ repeat -1 "a" }}`), codes: rendering, text: "templates/a.yaml"},
		{name: "slice out of range", archive: template(`{{ slice (list 1 2) 5 9 }}`), codes: rendering, text: "templates/a.yaml"},
		{name: "call of nothing", archive: template(`{{ call nil }}`), codes: rendering, text: "templates/a.yaml"},
		{name: "split without end", archive: template(`{{ range until 100000 }}{{ $x := splitList "" (repeat 1000000 "a") }}{{ end }}`), codes: overLimit},
	}
}

// askers are templates that want to know what is not theirs, and tell it in their own failure.
func askers(b bait) []hostile {
	tell := func(what string) source { return template("{{ fail (printf \"found: %v\" (" + what + ")) }}") }
	host := strings.TrimPrefix(b.server, "http://")
	host = host[:strings.LastIndex(host, ":")]
	return []hostile{
		{name: "secrets of the cluster", archive: tell(`lookup "v1" "Secret" "kube-system" ""`), codes: rendering, text: "found: map[]"},
		{name: "namespaces of the cluster", archive: tell(`lookup "v1" "Namespace" "" ""`), codes: rendering, text: "found: map[]"},
		{name: "address of a host", archive: template(`{{ fail (printf "found: <%s>" (getHostByName "` + host + `")) }}`), codes: rendering, text: "found: <>"},
		{name: "environment", archive: tell(`env "HOME"`), codes: rendering, text: `function "env" not defined`},
		{name: "expanded environment", archive: tell(`expandenv "$HOME"`), codes: rendering, text: `function "expandenv" not defined`},
		{name: "file by its path", archive: tell(`.Files.Get "` + b.file + `"`), codes: rendering, text: "found:"},
		{name: "file by a way up", archive: tell(`.Files.Get "../../../../../..` + b.file + `"`), codes: rendering, text: "found:"},
		{name: "files by pattern", archive: tell(`.Files.Glob "/**"`), codes: rendering, text: "found: map[]"},
		{name: "files as secrets", archive: tell(`(.Files.Glob "/etc/*").AsSecrets`), codes: rendering, text: "found:"},
		{name: "template by its path", archive: tell(`include "` + b.file + `" .`), codes: rendering, text: "no template"},
		{name: "the renderer's own function", archive: template("{{ catalystAt 99999 }}"), codes: rendering, text: "no such template"},
		{name: "failure with escapes", archive: template(`{{ fail "\x1b]8;;http://evil\x07\u202e@everyone HELM_ERR_START x HELM_ERR_END" }}`), codes: rendering, text: "@everyone"},
	}
}

// outputs are what templates make that somebody has to read.
func outputs() []hostile {
	many := func(one string) source { return template("{{ range until 1000 }}" + one + "{{ end }}") }
	return []hostile{
		{name: "1,000 objects", archive: many("\n---\n" + object("")), codes: overLimit, text: "200 objects"},
		{name: "1,000 objects in a list", archive: template("apiVersion: v1\nkind: List\nitems:\n{{ range until 1000 }}- {apiVersion: v1, kind: ConfigMap}\n{{ end }}"), codes: overLimit, text: "200 objects"},
		{name: "1,000 objects in lists of lists", archive: template("apiVersion: v1\nkind: List\nitems:\n{{ range until 100 }}- {apiVersion: v1, kind: List, items: [{{ range until 10 }}{apiVersion: v1, kind: ConfigMap},{{ end }}]}\n{{ end }}"), codes: overLimit, text: "200 objects"},
		{name: "1,000 objects in a stream of JSON", archive: many(`{"apiVersion": "v1", "kind": "ConfigMap"}`), codes: overLimit, text: "200 objects"},
		{name: "ConfigMap of 10 MiB", archive: template(object(`data: {a: {{ repeat 10485760 "a" }}}`)), codes: overLimit, text: "more than 1 MiB"},
		{name: "alias bomb in an object", archive: template(object(strings.ReplaceAll(aliasBomb(), "a0:", "data:"))), codes: stopped, text: "aliasing"},
		{name: "aliases of a long text", archive: template(object("a: &a {{ repeat 500000 \"a\" }}\nb: [{{ repeat 90 \"*a,\" }}]\n")), codes: overLimit, text: "written out"},
		{name: "a million values", archive: template(object("data: [{{ repeat 300000 \"[],\" }}]\n")), codes: overLimit},
		{name: "deep object", archive: template(object("data: {{ repeat 100000 \"[\" }}{{ repeat 100000 \"]\" }}\n")), codes: stopped},
		{name: "NUL in an object", archive: template(object("data: {a: \"{{ \"\\x00\" }}\"}")), codes: rendering, text: "control characters"},
		{name: "invalid UTF-8 in an object", archive: template(object("data: {a: \"\xff\xfe\"}")), codes: rendering, text: "UTF-8"},
		{name: "byte order mark, and no kind", archive: template("\ufeffapiVersion: v1\nmetadata: {name: a}\n"), codes: rendering},
		{name: "no object", archive: template("- a\n- b\n"), codes: rendering, text: "not a Kubernetes object"},
		{name: "object without a kind behind a block text", archive: template(object("data:\n  a: |\n    x\n---\n  b: hidden\n")), codes: rendering},
		{name: "strange tags", archive: template("apiVersion: v1\nkind: !!python/object:os.system ConfigMap\nitems: !!binary x\n"), codes: rendering},
		{name: "kind that is a map", archive: template("apiVersion: v1\nkind: {a: b}\n"), codes: rendering},
		{name: "unclosed JSON", archive: template(`{"apiVersion": "v1", "kind": "ConfigMap"`), codes: rendering},
	}
}
