package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/sandbox"
)

// hello is the first thing a child says.
type hello struct {
	sandbox.Report
	Error string `json:"error,omitempty"` // why it is not shut
}

// reply is the last.
type reply struct {
	Name       string             `json:"name,omitempty"`
	Version    string             `json:"version,omitempty"`
	AppVersion string             `json:"app_version,omitempty"`
	Documents  []Document         `json:"documents,omitempty"`
	Values     map[string]any     `json:"values,omitempty"`
	Warnings   []string           `json:"warnings,omitempty"`
	Failure    *preview.Diagnosis `json:"failure,omitempty"`
}

// maxValues is how much JSON of values goes back for the record.
const maxValues = 64 << 10

// unmarshal reads one JSON value, in which numbers keep their written form.
func unmarshal(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// readReply makes a result, or the failure it tells, of a reply's JSON. The child may have been taken over by what it rendered, so nothing is
// taken on its word: not the caps, not the names, not the texts.
func readReply(payload []byte) (*Result, error) {
	var r reply
	if err := unmarshal(payload, &r); err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	if r.Failure != nil {
		return nil, preview.Fail(nil, cleanDiagnosis(*r.Failure))
	}
	result := &Result{
		Name:       pick(r.Name, chartName, "chart"),
		Version:    pick(r.Version, versionText, "0.0.0"),
		AppVersion: pick(r.AppVersion, versionText, ""),
		Values:     r.Values,
	}
	size := 0
	for i, d := range r.Documents {
		if size += len(d.Text); size > maxManifest {
			return nil, fmt.Errorf("read reply: more than %d bytes of documents: %w", maxManifest, errFrame)
		}
		if len(d.Name) > 250 || !documentName.MatchString(d.Name) || strings.Contains(d.Name, "..") {
			d.Name = fmt.Sprintf("templates/unnamed-%04d.yaml", i)
		}
		result.Documents = append(result.Documents, d)
	}
	if len(result.Documents) > maxObjects {
		return nil, fmt.Errorf("read reply: %d documents: %w", len(result.Documents), errFrame)
	}
	for _, w := range r.Warnings[:min(len(r.Warnings), maxWarnings)] {
		result.Warnings = append(result.Warnings, clean(w, 300))
	}
	return result, nil
}

const maxWarnings = 10

// What of the author's words is taken as it stands.
var (
	chartName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	versionText  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$`)
	documentName = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$`)
)

func pick(text string, allowed *regexp.Regexp, instead string) string {
	if allowed.MatchString(text) {
		return text
	}
	return instead
}

// codes are what a child may say that failed.
var codes = []string{preview.CodeChartInvalid, preview.CodeValues, preview.CodeRender, preview.CodeRenderLimit}

func cleanDiagnosis(d preview.Diagnosis) preview.Diagnosis {
	if !slices.Contains(codes, d.Code) {
		d.Code = preview.CodeRender
	}
	if d.Blame != preview.BlameConfig {
		d.Blame = preview.BlameChange
	}
	d.Cause, d.Fix = clean(d.Cause, 800), clean(d.Fix, 300)
	d.Evidence = tail(d.Evidence)
	for i, line := range d.Evidence {
		d.Evidence[i] = clean(line, 300)
	}
	return d
}

// clean takes out what is not for reading: control characters, and those that change the direction of text or are invisible.
func clean(s string, most int) string {
	return limit(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")), most)
}
