package config

import (
	"reflect"
	"strings"
)

// key is one key of the configuration, as the struct tags describe it.
type key struct {
	Path     string // "github.app_id"; "" is never a key
	Type     string // for people
	Default  string
	Doc      string
	Required bool
	Secret   bool
	Elem     reflect.Type // of a list
	Twin     bool         // X_file may name a file that holds the value
}

// Env is the environment variable of the key.
func (k key) Env() string { return envName(k.Path) }

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

const (
	envPrefix  = "CATALYST_"
	twinSuffix = "_file"
)

// keysOf lists the keys of a struct type in the order of its fields. A list of structs is one key.
func keysOf(t reflect.Type, prefix string) []key {
	var keys []key
	for f := range t.Fields() {
		k := keyOf(f, prefix)
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, k.Path)...)
			continue
		}
		keys = append(keys, k)
	}
	return keys
}

func keyOf(f reflect.StructField, prefix string) key {
	k := key{
		Path:     join(prefix, f.Tag.Get("key")),
		Type:     typeName(f.Type),
		Default:  f.Tag.Get("default"),
		Doc:      f.Tag.Get("doc"),
		Required: f.Tag.Get("required") == "true",
		Secret:   f.Type == reflect.TypeFor[Secret](),
		Twin:     f.Tag.Get("file") == "true",
	}
	if f.Type.Kind() == reflect.Slice {
		k.Elem = f.Type.Elem()
	}
	return k
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func typeName(t reflect.Type) string {
	switch t {
	case typeSecret:
		return "secret"
	case typeDuration:
		return "duration"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Bool:
		return "true or false"
	case reflect.Map:
		return "map"
	case reflect.Slice:
		return "list"
	}
	return "text"
}

// names lists what may stand in a section, twins included.
func names(t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		name := f.Tag.Get("key")
		all = append(all, name)
		if f.Tag.Get("file") == "true" {
			all = append(all, name+twinSuffix)
		}
	}
	return all
}
