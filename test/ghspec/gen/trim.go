package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type document = map[string]any

// example is one event of the recorded payloads.
type example struct {
	Name     string            `json:"name"`
	Examples []json.RawMessage `json:"examples"`
}

// correct changes the one thing that GitHub's descriptions say and GitHub does not do: a pull request's head.repo is not
// always an object, it is null after the fork is deleted. nullable makes a schema that takes null too.
func correct(v any, nullable func(schema any) any) {
	switch v := v.(type) {
	case document:
		properties, _ := v["properties"].(document)
		if head, ok := properties["head"].(document); ok {
			if side, ok := head["properties"].(document); ok && side["repo"] != nil {
				side["repo"] = nullable(side["repo"])
			}
		}
		for _, value := range v {
			correct(value, nullable)
		}
	case []any:
		for _, value := range v {
			correct(value, nullable)
		}
	}
}

// nullableREST is for OpenAPI 3.0, where null is a property of the schema itself.
func nullableREST(doc document) func(any) any {
	schemas := doc["components"].(document)["schemas"].(document)
	repository := maps.Clone(schemas["repository"].(document))
	repository["nullable"] = true
	schemas["nullable-head-repository"] = repository
	return func(schema any) any {
		if ref, ok := schema.(document)["$ref"]; ok && ref == "#/components/schemas/repository" {
			return document{"$ref": "#/components/schemas/nullable-head-repository"}
		}
		return schema
	}
}

// nullableWebhook is for OpenAPI 3.1, where null is a type.
func nullableWebhook(schema any) any {
	return document{"anyOf": []any{schema, document{"type": "null"}}}
}

// trimREST keeps the operations of rest and what they refer to.
func trimREST(doc document) (document, error) {
	correct(doc["components"], nullableREST(doc))
	all := doc["paths"].(document)
	paths := document{}
	for path, methods := range rest() {
		item, ok := all[path].(document)
		if !ok {
			return nil, fmt.Errorf("operation %s: GitHub's description has no such path", path)
		}
		kept := document{}
		for _, method := range methods {
			operation, ok := item[method]
			if !ok {
				return nil, fmt.Errorf("operation %s %s: GitHub's description has no such method", method, path)
			}
			kept[method] = strip(operation, false)
		}
		paths[path] = kept
	}
	return document{
		"openapi":    doc["openapi"],
		"info":       document{"title": "GitHub REST API, trimmed", "version": restPackage, "license": document{"name": "MIT"}},
		"paths":      paths,
		"components": closure(doc, paths),
	}, nil
}

// trimWebhooks keeps the body schemas of webhooks and what they refer to, by name.
func trimWebhooks(doc document) (document, error) {
	correct(doc, nullableWebhook)
	all := doc["webhooks"].(document)
	kept := document{}
	for _, name := range webhooks() {
		hook, ok := all[name].(document)
		if !ok {
			return nil, fmt.Errorf("webhook %s: GitHub's description has none of that name", name)
		}
		body := hook["post"].(document)["requestBody"].(document)["content"].(document)["application/json"].(document)
		kept[name] = strip(body["schema"], false)
	}
	return document{"version": webhooksPackage, "webhooks": kept, "components": closure(doc, kept)}, nil
}

// closure returns the components that from reaches through $ref, in the shape of doc's components.
func closure(doc document, from any) document {
	components := document{}
	todo := refs(from, nil)
	for len(todo) > 0 {
		ref := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
		group, ok := components[parts[0]].(document)
		if !ok {
			group = document{}
			components[parts[0]] = group
		}
		if _, done := group[parts[1]]; done {
			continue
		}
		group[parts[1]] = strip(doc["components"].(document)[parts[0]].(document)[parts[1]], false)
		todo = refs(group[parts[1]], todo)
	}
	return components
}

func refs(v any, found []string) []string {
	switch v := v.(type) {
	case document:
		for key, value := range v {
			if ref, ok := value.(string); ok && key == "$ref" {
				found = append(found, ref)
				continue
			}
			found = refs(value, found)
		}
	case []any:
		for _, value := range v {
			found = refs(value, found)
		}
	}
	return found
}

// strip drops prose and examples, which checking has no use for; names says that the keys of v are property names.
func strip(v any, names bool) any {
	switch v := v.(type) {
	case document:
		out := document{}
		for key, value := range v {
			if !names && (slices.Contains([]string{"example", "examples", "externalDocs", "summary", "tags", "deprecated"}, key) ||
				strings.HasPrefix(key, "x-") || (key == "title" && isText(value)) || (key == "description" && isText(value))) {
				continue
			}
			out[key] = strip(value, !names && (key == "properties" || key == "patternProperties" || key == "headers"))
		}
		// A response must have a description.
		if _, ok := v["description"]; ok && !names && v["type"] == nil && (v["content"] != nil || v["headers"] != nil || len(out) == 0) {
			out["description"] = ""
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = strip(value, false)
		}
		return out
	}
	return v
}

func isText(v any) bool { _, ok := v.(string); return ok }

// writePayloads replaces dir by one file for each recorded payload: <event>.<n>[.<action>].json.
func writePayloads(dir string, all []example) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("replace the payloads: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("replace the payloads: %w", err)
	}
	notice := "Payloads recorded by Octokit, from npm " + examplesPackage + ", MIT licence, Copyright (c) 2020 Octokit contributors.\n"
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(notice), 0o644); err != nil {
		return fmt.Errorf("write the notice: %w", err)
	}
	for _, event := range all {
		if !slices.Contains(events(), event.Name) {
			continue
		}
		for i, body := range event.Examples {
			var v document
			if err := json.Unmarshal(body, &v); err != nil {
				return fmt.Errorf("parse payload %s %d: %w", event.Name, i, err)
			}
			name := fmt.Sprintf("%s.%02d.json", event.Name, i)
			if action, ok := v["action"].(string); ok {
				name = fmt.Sprintf("%s.%s.%02d.json", event.Name, action, i)
			}
			data, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("encode payload %s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644); err != nil {
				return fmt.Errorf("write payload: %w", err)
			}
		}
	}
	return nil
}
