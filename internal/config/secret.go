package config

import (
	"encoding/json"
	"log/slog"
	"reflect"
)

// Secret is text that must not be shown: every printed, logged or marshalled form of it is a placeholder. string(s) is the text itself.
type Secret string

const hidden = "(hidden)"

// String returns a placeholder, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Secrets returns all texts of the configuration that must not be shown: the secrets, the URL of the database, which may have a password in it, and
// the values under those of all repositories, for the credentials among them.
func (c Config) Secrets() []string {
	all := secretsIn(reflect.ValueOf(c))
	if isURL(c.Database) {
		all = append(all, c.Database)
	}
	if values, err := json.Marshal(c.Preview.Values); err == nil && len(c.Preview.Values) > 0 {
		all = append(all, string(values))
	}
	return all
}

// secretsIn finds the secrets of a section and of the sections and lists in it.
func secretsIn(v reflect.Value) []string {
	var found []string
	switch {
	case v.Type() == typeSecret:
		if v.String() != "" {
			found = append(found, v.Convert(reflect.TypeFor[string]()).String())
		}
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			found = append(found, secretsIn(field)...)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			found = append(found, secretsIn(v.Index(i))...)
		}
	}
	return found
}
