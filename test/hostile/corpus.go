package main

import (
	"fmt"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// hostile is one chart that means harm.
type hostile struct {
	name    string
	archive source
	values  string   // the repository's values file, when it is the weapon
	codes   []string // one of them names the failure
	text    string   // a part of the sentence; empty: any
}

// bait is what a chart may be after.
type bait struct {
	file   string // path of a file that must not be read
	canary string // its content
	server string // http://… of a server that must not be asked
}

// Codes that end most cases.
var (
	invalid    = []string{preview.CodeChartInvalid}
	values     = []string{preview.CodeValues}
	rendering  = []string{preview.CodeRender}
	overLimit  = []string{preview.CodeRenderLimit}
	stopped    = []string{preview.CodeRenderLimit, preview.CodeRender} // whichever bound it meets first
	missing    = []string{preview.CodeChartMissing, preview.CodeChartInvalid}
	eitherLoad = []string{preview.CodeChartInvalid, preview.CodeRenderLimit}
)

// corpus is all of them.
func corpus(b bait) []hostile {
	return slices.Concat(archives(b), dependencies(b), metadata(), schemas(b), valueFiles(), burners(), askers(b), outputs())
}

// object is a ConfigMap with this behind it.
func object(rest string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" + rest
}

// aliasBomb is small and enormous.
func aliasBomb() string {
	b := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		b += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b
}
