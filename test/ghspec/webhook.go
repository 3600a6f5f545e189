package ghspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Webhooks checks webhook bodies against GitHub's description. It is safe for concurrent use.
type Webhooks struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	names    map[string]bool
	compiled map[string]*jsonschema.Schema
}

var sharedWebhooks = sync.OnceValues(loadWebhooks)

// LoadWebhooks returns the trimmed webhook description, parsed once for the process.
func LoadWebhooks() (*Webhooks, error) { return sharedWebhooks() }

func loadWebhooks() (*Webhooks, error) {
	data, err := unzip("webhooks.json.gz")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("parse GitHub's webhook description: %w", err)
	}
	w := &Webhooks{compiler: jsonschema.NewCompiler(), names: map[string]bool{}, compiled: map[string]*jsonschema.Schema{}}
	w.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := w.compiler.AddResource("webhooks.json", doc); err != nil {
		return nil, fmt.Errorf("add GitHub's webhook description: %w", err)
	}
	for name := range doc.(map[string]any)["webhooks"].(map[string]any) {
		w.names[name] = true
	}
	return w, nil
}

// Known reports whether the trimmed description has a schema for the event and action (empty for none).
func (w *Webhooks) Known(event, action string) bool { return w.names[webhookName(event, action)] }

// Check returns what is wrong with the body of a webhook, nil when GitHub's description allows it. An event or action
// that the trimmed description does not hold is an error.
func (w *Webhooks) Check(event, action string, body []byte) error {
	schema, err := w.schema(webhookName(event, action))
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("parse the body of %s: %w", webhookName(event, action), err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("webhook %s: %w", webhookName(event, action), err)
	}
	return nil
}

func (w *Webhooks) schema(name string) (*jsonschema.Schema, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if schema, ok := w.compiled[name]; ok {
		return schema, nil
	}
	if !w.names[name] {
		return nil, fmt.Errorf("webhook %s: not in the trimmed description, add it to ghspec/gen/operations.go", name)
	}
	escaped := strings.ReplaceAll(name, "~", "~0")
	schema, err := w.compiler.Compile("webhooks.json#/webhooks/" + escaped)
	if err != nil {
		return nil, fmt.Errorf("compile webhook %s: %w", name, err)
	}
	w.compiled[name] = schema
	return schema, nil
}

func webhookName(event, action string) string {
	name := event
	if action != "" {
		name += "-" + action
	}
	return strings.ReplaceAll(name, "_", "-")
}

// Action returns the action named in a webhook body, empty when it has none.
func Action(body []byte) string {
	var head struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(body, &head) != nil {
		return ""
	}
	return head.Action
}
