package config

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/v2"
)

var (
	typeSecret   = reflect.TypeFor[Secret]()
	typeDuration = reflect.TypeFor[time.Duration]()
)

// section fills a struct from a map, notes unknown keys, and sets the defaults of what is absent.
func (l *loader) section(v reflect.Value, values map[string]any, prefix string) {
	known := names(v.Type())
	for _, name := range sortedKeys(values) {
		if !slices.Contains(known, name) {
			l.wrong(join(prefix, name), "", "no such key"+didYouMean(name, known))
		}
	}
	for f, field := range v.Fields() {
		k := keyOf(f, prefix)
		name := f.Tag.Get("key")
		given := values[name]
		if f.Type.Kind() == reflect.Struct {
			inner, ok := given.(map[string]any)
			if given != nil && !ok {
				l.wrong(k.Path, shown(given), "expected a section with the keys "+strings.Join(names(f.Type), ", "))
			}
			l.section(field, inner, k.Path)
			continue
		}
		if k.Twin && values[name+twinSuffix] != nil {
			if given != nil {
				l.wrong(k.Path, "", "given twice, here and as "+k.Path+twinSuffix+": leave one out")
				continue
			}
			given = l.twin(k, values[name+twinSuffix])
		}
		if given == nil && k.Default != "" {
			given = l.structured(k, k.Default)
		}
		if given == nil || given == "" {
			l.absent(k, given)
			continue
		}
		l.set(field, k, given)
	}
}

// absent notes a key that must be set and is not, and a secret that is empty.
func (l *loader) absent(k key, given any) {
	switch {
	case k.Required && strings.Contains(k.Path, "["):
		l.wrong(k.Path, "", "must be set: "+k.Doc)
	case k.Required:
		l.wrong(k.Path, "", "must be set, in the file or as "+k.Env()+": "+k.Doc)
	case k.Secret && given == "":
		l.wrong(k.Path, "", "is empty: give the secret, or leave the key out")
	}
}

// twin reads the file that the twin of a key names.
func (l *loader) twin(k key, named any) any {
	path, ok := named.(string)
	if !ok {
		l.wrong(k.Path+twinSuffix, shown(named), "expected the path of a file")
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		l.wrong(k.Path, "", fmt.Sprintf("expected a file that can be read at %s%s: %v", k.Path, twinSuffix, err))
		return nil
	}
	if !k.Secret {
		file := koanf.New(".")
		if err := file.Load(text(data), yaml.Parser()); err != nil {
			l.wrong(k.Path, "", fmt.Sprintf("expected a map as YAML in %q: %v", path, err))
			return nil
		}
		return file.Raw()
	}
	// Editors end files with a newline that is no part of the secret.
	secret := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(secret) == "" {
		l.wrong(k.Path, "", fmt.Sprintf("the file %q is empty: expected the secret", path))
		return nil
	}
	return secret
}

// set puts a given value into a field of its type.
func (l *loader) set(field reflect.Value, k key, given any) {
	switch k.Type {
	case "list":
		l.list(field, k, given)
	case "map":
		m, ok := given.(map[string]any)
		if !ok {
			l.wrong(k.Path, shown(given), "expected a map")
			return
		}
		field.Set(reflect.ValueOf(m))
	case "duration":
		d, err := time.ParseDuration(fmt.Sprint(given))
		if err != nil {
			l.wrong(k.Path, shown(given), `expected a duration like "30s" or "3m"`)
			return
		}
		field.SetInt(int64(d))
	case "true or false":
		b, err := strconv.ParseBool(fmt.Sprint(given))
		if err != nil {
			l.wrong(k.Path, shown(given), "expected true or false")
			return
		}
		field.SetBool(b)
	case "number":
		n, err := strconv.ParseInt(fmt.Sprint(given), 10, 64)
		if err != nil || field.OverflowInt(n) || field.Kind() == reflect.Int && n > math.MaxInt32 {
			l.wrong(k.Path, shown(given), "expected a whole number")
			return
		}
		field.SetInt(n)
	default:
		s, ok := given.(string)
		if !ok && k.Secret {
			l.wrong(k.Path, "", "expected text: put it in quotes")
			return
		}
		if !ok {
			l.wrong(k.Path, shown(given), "expected text: put it in quotes")
			return
		}
		if k.Secret && strings.TrimSpace(s) == "" {
			l.absent(k, "")
			return
		}
		field.SetString(s)
	}
}

// list fills a slice of structs or of texts.
func (l *loader) list(field reflect.Value, k key, given any) {
	items, ok := given.([]any)
	if !ok {
		l.wrong(k.Path, shown(given), "expected a list")
		return
	}
	field.Set(reflect.MakeSlice(field.Type(), len(items), len(items)))
	for i, item := range items {
		path := fmt.Sprintf("%s[%d]", k.Path, i)
		if field.Type().Elem().Kind() == reflect.String {
			word, ok := item.(string)
			if !ok || word == "" {
				l.wrong(path, shown(item), "expected text: put it in quotes")
				continue
			}
			field.Index(i).SetString(word)
			continue
		}
		values, ok := item.(map[string]any)
		if !ok {
			l.wrong(path, shown(item), "expected a section with the keys "+strings.Join(names(field.Type().Elem()), ", "))
			continue
		}
		l.section(field.Index(i), values, path)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
