package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// TestRequestArrives: what the parent sends is what the child reads.
func TestRequestArrives(t *testing.T) {
	t.Parallel()
	q := request(files("templates/a.yaml", "\x00\xff binary", "empty", ""), map[string]any{"a": json.Number("1000000"), "b": []any{"x"}})
	q.Layers = &chart.ValuesInput{
		Base: map[string]any{"c": "d"}, Host: "h", Number: 7, Branch: "{{ x }}",
		Chart: &chart.Chart{Path: "deploy/chart", Files: q.Files, Values: &chart.File{Name: "v.yaml", Data: []byte("a: b\n")}},
	}
	var wire bytes.Buffer
	if err := writeRequest(&wire, q); err != nil {
		t.Fatal(err)
	}
	got, err := readRequest(&wire)
	if err != nil || wire.Len() != 0 {
		t.Fatalf("%v, %d bytes left", err, wire.Len())
	}
	if diff := cmp.Diff(q, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadFrameRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"too large": "r\xff\xff\xff\xff", "other kind": "x\x00\x00\x00\x00", "cut": "r\x00\x00\x00\x05abc", "head cut": "r\x00", "empty": "",
	} {
		_, _, err := readFrame(strings.NewReader(text), map[byte]uint32{frameReply: 10})
		if err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestReplyIsNotBelieved: a child may have been taken over by what it rendered.
func TestReplyIsNotBelieved(t *testing.T) {
	t.Parallel()
	payload := func(r any) []byte {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got, err := readReply(payload(reply{
		Name: "../../x", Version: "\x1b[31m", AppVersion: strings.Repeat("1", 100),
		Documents: []Document{{"../up.yaml", "a"}, {"templates/../../up.yaml", "b"}, {"/etc/passwd", "c"}, {"templates/a b.yaml", "d"}, {"templates/web.yaml", "e"}},
		Warnings:  append([]string{"red \x1b[31m\u202eright\u200b to left"}, make([]string, 50)...),
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := &Result{
		Name: "chart", Version: "0.0.0", AppVersion: "", Warnings: append([]string{"red [31mright to left"}, make([]string, 9)...),
		Documents: []Document{
			{"templates/unnamed-0000.yaml", "a"}, {"templates/unnamed-0001.yaml", "b"}, {"templates/unnamed-0002.yaml", "c"}, {"templates/unnamed-0003.yaml", "d"},
			{"templates/web.yaml", "e"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, bad := range map[string][]byte{
		"not JSON":         []byte("{"),
		"two":              []byte("{} {}"),
		"too many":         payload(reply{Documents: make([]Document, maxObjects+1)}),
		"too large":        payload(reply{Documents: []Document{{"templates/a.yaml", strings.Repeat("a", maxManifest+1)}}}),
		"too large in sum": payload(reply{Documents: []Document{{"templates/a.yaml", strings.Repeat("a", maxManifest/2+1)}, {"templates/b.yaml", strings.Repeat("a", maxManifest/2)}}}),
	} {
		if got, err := readReply(bad); err == nil {
			t.Errorf("%s: %+v was taken", name, got)
		}
	}
	_, err = readReply(payload(reply{Failure: &preview.Diagnosis{
		Code: "OUTAGE", Blame: preview.BlameTransient, Cause: "\x07" + strings.Repeat("a", 5000), Evidence: append(make([]string, 100), "x\x1by"),
	}}))
	failure, ok := errors.AsType[*preview.Failure](err)
	if !ok {
		t.Fatal(err)
	}
	d := failure.Diagnosis
	if d.Code != preview.CodeRender || d.Blame != preview.BlameChange || len(d.Cause) > 900 || strings.Contains(d.Cause, "\x07") || !cmp.Equal(d.Evidence, []string{"xy"}) {
		t.Errorf("%+v", d)
	}
}

// FuzzReadRequest: the child reads anything to its end or refuses it, and never keeps more than it was sent.
func FuzzReadRequest(f *testing.F) {
	q := request(files("templates/a.yaml", "a: {{ .Values.a }}"), map[string]any{"a": 1})
	q.Layers = &chart.ValuesInput{Host: "h", Chart: &chart.Chart{Path: "c", Values: &chart.File{Name: "v.yaml", Data: []byte("a: b")}}}
	for _, one := range []Request{q, {}, request(files(), nil)} {
		var wire bytes.Buffer
		if err := writeRequest(&wire, one); err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Bytes())
	}
	f.Add([]byte("q\x00\x00\x00\x20{\"Heads\":[{\"Name\":\"a\",\"Size\":-1}]}"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		q, err := readRequest(bytes.NewReader(wire))
		if err != nil {
			return
		}
		size := 0
		for _, file := range q.Files {
			size += len(file.Data)
		}
		if size > len(wire) {
			t.Errorf("%d bytes of files from %d", size, len(wire))
		}
	})
}

// FuzzReadReply: whatever a child answers, the parent gets no more than the caps, and nothing that is not fit to be shown.
func FuzzReadReply(f *testing.F) {
	for _, r := range []reply{
		{Name: "web", Version: "1.0.0", Documents: []Document{{"templates/a.yaml", "a: b"}}, Values: map[string]any{"a": 1}, Warnings: []string{"w"}},
		{Failure: &preview.Diagnosis{Code: preview.CodeRender, Cause: "c", Evidence: []string{"e"}, Fix: "f", Blame: preview.BlameChange}},
		{Name: "../x\x1b", Documents: []Document{{"../../x", "{{"}}},
	} {
		var wire bytes.Buffer
		if err := send(&wire, r); err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Bytes())
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		in := bytes.NewReader(wire)
		for {
			kind, payload, err := readFrame(in, map[byte]uint32{frameProgress: maxProgress, frameReply: maxReply})
			if err != nil {
				return
			}
			if kind == frameProgress {
				shown(t, clean(string(payload), 200))
				continue
			}
			result, err := readReply(payload)
			if failure, ok := errors.AsType[*preview.Failure](err); ok {
				shown(t, failure.Diagnosis.Cause)
				shown(t, failure.Diagnosis.Fix)
				for _, line := range failure.Diagnosis.Evidence {
					shown(t, line)
				}
			}
			if err != nil {
				continue
			}
			shown(t, result.Name+result.Version+result.AppVersion)
			for _, d := range result.Documents {
				shown(t, d.Name)
				if strings.Contains(d.Name, "..") || strings.HasPrefix(d.Name, "/") {
					t.Errorf("name %q", d.Name)
				}
			}
		}
	})
}

// shown checks that a text has no character that does something to a terminal or a page.
func shown(t *testing.T, text string) {
	t.Helper()
	if clean(text, len(text)) != text {
		t.Errorf("%q is shown", text)
	}
}
