// Package ghspec is GitHub's own description of its REST API and webhooks, trimmed to what Catalyst uses, for tests:
// it says whether a request, an answer or a webhook payload is one that GitHub's description allows, and it holds
// recorded payloads. It must not know about any server or client.
//
// The data is made by `go generate ./test/ghspec` from packages published by Octokit (see README.md).
package ghspec

//go:generate go run ./gen

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

//go:embed rest.json.gz webhooks.json.gz payloads/*.json
var files embed.FS

// Payload is one webhook body recorded from GitHub.
type Payload struct {
	Name   string // file name without .json, unique, for example "pull_request.opened.00"
	Event  string // X-GitHub-Event
	Action string // the body's action, empty for events without one
	Body   []byte
}

// Payloads returns the recorded webhook bodies, sorted by name.
func Payloads() ([]Payload, error) {
	entries, err := fs.ReadDir(files, "payloads")
	if err != nil {
		return nil, fmt.Errorf("list recorded payloads: %w", err)
	}
	payloads := make([]Payload, 0, len(entries))
	for _, entry := range entries {
		body, err := fs.ReadFile(files, "payloads/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read recorded payload: %w", err)
		}
		var head struct {
			Action string `json:"action"`
		}
		if err := json.Unmarshal(body, &head); err != nil {
			return nil, fmt.Errorf("parse recorded payload %s: %w", entry.Name(), err)
		}
		name := strings.TrimSuffix(entry.Name(), ".json")
		event, _, _ := strings.Cut(name, ".")
		payloads = append(payloads, Payload{Name: name, Event: event, Action: head.Action, Body: bytes.TrimSpace(body)})
	}
	return payloads, nil
}

func unzip(name string) ([]byte, error) {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	data, err = io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
