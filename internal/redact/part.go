package redact

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// parts gives what the shapes find inside a value: the password in a URL, in a file of settings, in a registry's credentials. A program prints such
// a part by itself, too.
func parts(value string) []string {
	r := shapesOnly()
	if !r.index.mayHold(value) {
		return nil
	}
	s := scanner{r: r, text: []byte(value)}
	s.scan(true)
	var found []string
	for _, sp := range s.spans {
		part := value[sp.start:sp.end]
		if part == value {
			continue
		}
		found = append(found, part)
		if _, password, ok := strings.Cut(decoded(part), ":"); ok {
			found = append(found, password)
		}
	}
	return found
}

// decoded is the text that s is the base64 of; empty when it is not.
func decoded(s string) string {
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil || !utf8.Valid(text) {
		return ""
	}
	return string(text)
}
