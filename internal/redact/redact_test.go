package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// canary has what encodings treat differently: quotes, spaces, angle brackets, a letter beyond ASCII.
const canary = `c4n4ry/"Pa<ss>&é w0rd+~`

// encodings are the forms in which a program may print a secret.
func encodings(secret string) map[string]string {
	in64 := func(e *base64.Encoding, before string) string {
		return e.EncodeToString([]byte(before + secret + "after"))
	}
	asJSON, _ := json.Marshal(secret)
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(secret)
	nested, _ := json.Marshal(string(asJSON))
	return map[string]string{
		"as it is":                      secret,
		"on one line":                   strings.Join(strings.Fields(secret), " "),
		"base64, aligned":               in64(base64.StdEncoding, "abc"),
		"base64, one byte off":          in64(base64.StdEncoding, "abcd"),
		"base64, two bytes off":         in64(base64.StdEncoding, "abcde"),
		"base64 for URLs, aligned":      in64(base64.RawURLEncoding, "abc"),
		"base64 for URLs, one byte off": in64(base64.RawURLEncoding, "abcd"),
		"base64 for URLs, two off":      in64(base64.RawURLEncoding, "abcde"),
		"query":                         url.QueryEscape(secret),
		"path":                          url.PathEscape(secret),
		"query in lower case":           lowerHex(url.QueryEscape(secret)),
		"hex":                           hex.EncodeToString([]byte(secret)),
		"HEX":                           strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"JSON":                          string(asJSON),
		"JSON without HTML":             strings.TrimSpace(plain.String()),
		"JSON in ASCII":                 ascii(string(asJSON)),
		"JSON in JSON":                  string(nested),
		"Go":                            strconv.Quote(secret),
		"HTML":                          html.EscapeString(secret),
	}
}

// assertHidden looks for parts of the secret that are left, and in base64 for characters that hold bits of it.
func assertHidden(t *testing.T, name, encoded, got string) {
	t.Helper()
	if !strings.Contains(got, Mark) {
		t.Errorf("%s: nothing is hidden in %q", name, got)
	}
	if strings.HasPrefix(name, "base64") {
		before, after, _ := strings.Cut(got, Mark)
		before = before[strings.LastIndexByte(before, ' ')+1:]
		after, _, _ = strings.Cut(after, " ")
		neighbour := map[bool]int{true: len("abc"), false: len("abcd")}[strings.Contains(name, "aligned")]
		if strings.Contains(name, "two") {
			neighbour = len("abcde")
		}
		if len(before) != neighbour*8/6 || len(strings.TrimRight(after, "=")) > (len("after")*8+5)/6 {
			t.Errorf("%s: %q and %q are left", name, before, after)
		}
		return
	}
	for i := 0; i+8 <= len(encoded); i++ {
		part := encoded[i : i+8]
		if strings.Contains(got, part) {
			t.Errorf("%s: %q of %q is left in %q", name, part, encoded, got)
			return
		}
	}
}

// TestCanaries: a secret in each encoding is hidden from a stream, wherever the stream is cut in two (O5).
func TestCanaries(t *testing.T) {
	t.Parallel()
	r := New("another value", canary)
	forms := encodings(canary)
	if len(forms) < 14 {
		t.Fatalf("%d encodings", len(forms))
	}
	for name, encoded := range forms {
		text := "2026-08-01 started ok: " + encoded + " and so on\n"
		whole := r.String(text)
		assertHidden(t, name, encoded, whole)
		for _, kept := range []string{"2026-08-01 started ok: ", " and so on\n"} {
			if !strings.Contains(whole, kept) {
				t.Errorf("%s: %q is lost from %q", name, kept, whole)
			}
		}
		for cut := range len(text) {
			var out strings.Builder
			w := r.Writer(&out)
			for _, piece := range []string{text[:cut], text[cut:]} {
				if _, err := io.WriteString(w, piece); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != whole {
				t.Fatalf("%s, cut at %d: %q, in one piece %q", name, cut, out.String(), whole)
			}
		}
		read, err := io.ReadAll(r.Reader(iotest.OneByteReader(strings.NewReader(text))))
		if err != nil || string(read) != whole {
			t.Errorf("%s, byte by byte: %q, %v; in one piece %q", name, read, err, whole)
		}
	}
}

// TestPieces: what comes out does not depend on the pieces that go in, for texts made of what is looked for and of parts of it.
func TestPieces(t *testing.T) {
	t.Parallel()
	secrets := []string{canary, "aaaaaaab", "aabaabaab", "first line\nsecond line\nthird", "ghp_0123456789abcdefghij"}
	parts := []string{
		"a", "b", "aaaaaaab", "aabaab", canary, canary[:9], canary[9:], "…", "\n", " ", "first line\nsec", "ond line", "password=", "hunter2,", `"`, `\"`,
		"ghs_123_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjMifQ.c2lnbmF0dXJl", "eyJhbGciOiJSUzI1NiJ9", ".", "://", "u:p@h", "Authorization: Bearer ", "AKIAABCDEFGHIJKLMNOP",
		"-----BEGIN PRIVATE KEY-----\n", "MIIEvQIBADANBgkqhkiG9w0BAQ", "-----END PRIVATE KEY-----", "secret_key: ", "0123456789abcdefABCDEF",
		base64.StdEncoding.EncodeToString([]byte("x" + canary)), url.QueryEscape(canary), "é", "\xe2", "\x80",
	}
	r := New(secrets...)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 12).Draw(t, "parts"), "")
		var out strings.Builder
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 40)).Draw(t, "piece")
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		whole := r.String(text)
		if out.String() != whole {
			t.Fatalf("%q\nin pieces %q\nas a whole %q", text, out.String(), whole)
		}
		for _, s := range secrets {
			if strings.Contains(whole, s) {
				t.Fatalf("%q holds %q", whole, s)
			}
		}
	})
}

// TestCut: a secret that was cut off is a secret; so is each line of one that has several.
func TestCut(t *testing.T) {
	t.Parallel()
	r := New("correct horse battery", "-----BEGIN X-----\nfirst-half\nsecond-half\n-----END X-----")
	for text, want := range map[string]string{
		"it is correct horse b":             "it is [redacted]",
		"it is correct horse b…":            "it is [redacted]…",
		"it is correct horse b… and":        "it is [redacted]… and",
		"it is correct":                     "it is [redacted]",
		"it is corre":                       "it is corre",
		"it is correct horsemanship":        "it is correct horsemanship",
		"a first-half of":                   "a [redacted] of",
		"-----BEGIN X----- of":              "-----BEGIN X----- of",
		"first-halfsecond-half":             "[redacted]",
		"key ghp_012345abc…":                "key [redacted]…",
		"jwt eyJhbGciOiJSUzI1NiIsInR5cCI6…": "jwt [redacted]…",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	got := r.Lines([]string{"one", "first-half", "second-half", "two"})
	if diff := cmp.Diff([]string{"one", Mark, Mark, "two"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestParts: the credentials inside a value are secrets by themselves.
func TestParts(t *testing.T) {
	t.Parallel()
	for value, printed := range map[string]string{
		"postgres://app:hunter22@db/shop":                                "no login with hunter22 there",
		"USER=app\nDB_PASSWORD=hunter22\n":                               "no login with hunter22 there",
		`{"auths":{"ghcr.io":{"username":"bot","password":"hunter22"}}}`: "no login with hunter22 there",
		`{"auths":{"ghcr.io":{"auth":"Ym90Omh1bnRlcjIy"}}}`:              "no login with hunter22 there",
	} {
		if got := New(value).String(printed); got != "no login with [redacted] there" {
			t.Errorf("%s: %s", value, got)
		}
	}
}

func TestLinesOfAKey(t *testing.T) {
	t.Parallel()
	body := []string{strings.Repeat("MIIEvQIBADANBgkq", 4), strings.Repeat("hkiG9w0BAQEFAASC", 4), "Qm9keQ=="}
	begin, end := "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
	for name, lines := range map[string][]string{
		"whole":        append(append([]string{"key:", begin}, body...), end, "bye"),
		"without head": append(append([]string{}, body...), end, "bye"),
		"without end":  append([]string{"key:", begin}, body...),
	} {
		got := strings.Join((*Redactor)(nil).Lines(lines), "\n")
		if strings.Contains(got, "MII") || strings.Contains(got, "Qm9") || strings.Contains(strings.Join(lines, ""), "bye") != strings.Contains(got, "bye") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWrappedBase64(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("0123456789-abcdefgh ", 10) + "end"
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	for _, width := range []int{64, 76} {
		var lines []string
		for rest := encoded; rest != ""; rest = rest[min(width, len(rest)):] {
			lines = append(lines, rest[:min(width, len(rest))])
		}
		if got := New(secret).String(strings.Join(lines, "\n")); got != Mark {
			t.Errorf("at %d: %q", width, got)
		}
	}
}

// TestShortValues: what is too short to be told from a word is left alone.
func TestShortValues(t *testing.T) {
	t.Parallel()
	if got := New("admin", "", "  prod\n").String("the admin of prod"); got != "the admin of prod" {
		t.Error(got)
	}
}

// TestPrompt: a line that holds nothing is given on at once, not when the next one comes.
func TestPrompt(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := New(canary).Writer(&out)
	for _, line := range []string{"listening on 8080\n", "GET /healthz 200\n", "c4n4ry in a coal mine\n"} {
		out.Reset()
		if _, err := io.WriteString(w, line); err != nil || out.String() != line {
			t.Errorf("%q gave %q, %v", line, out.String(), err)
		}
	}
}

func TestBook(t *testing.T) {
	t.Parallel()
	var b Book
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(b.Writer(&out), nil))
	log = log.With("known_later", canary)
	b.Add(canary, "tiny")
	log.Info("a "+canary, "error", fmt.Errorf("dial: %s", canary), slog.Group("g", "list", []string{canary}), "url", "postgres://app:hunter2@db/x", "quoted", `say "token=0123456789abcdefgh\"`)
	line := out.String()
	var parsed map[string]any
	if err := json.Unmarshal(out.Bytes(), &parsed); err != nil {
		t.Errorf("no longer JSON: %v\n%s", err, line)
	}
	if strings.Contains(line, "c4n4ry") || strings.Contains(line, "hunter2") || strings.Count(line, Mark) != 6 {
		t.Errorf("logged: %s", line)
	}
	if b.String("tiny") != "tiny" {
		t.Error("a value that is too short is hidden")
	}
}

// TestLogStaysJSON: hiding never breaks the line it hides in.
func TestLogStaysJSON(t *testing.T) {
	t.Parallel()
	var b Book
	b.Add(canary, `ends with \`, `"quoted"`)
	parts := []string{canary, `ends with \`, `"quoted"`, `"`, `\`, "\n", "password=", "token: ", "0123456789abcdefgh", " ", "Authorization: Basic ", "://u:p@", "…", `{"auth":"dXNlcjpwYXNz"}`, "-----BEGIN PRIVATE KEY-----\nMII"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 8).Draw(t, "parts"), "")
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(b.Writer(&out), nil)).Info("m", "text", text, "next", "kept")
		var parsed map[string]any
		if err := json.Unmarshal(out.Bytes(), &parsed); err != nil || parsed["next"] != "kept" {
			t.Fatalf("%q: %v\n%s", text, err, out.Bytes())
		}
	})
}

func BenchmarkString(b *testing.B) {
	var values []string
	for i := range 20 {
		values = append(values, fmt.Sprintf("value-%d-%s", i, hex.EncodeToString([]byte(strings.Repeat(string(rune('a'+i)), 12)))))
	}
	r := New(values...)
	line := `2026-08-01T12:00:00Z INFO  http: GET /api/v1/orders/8127?limit=20 200 12.3ms user="dora" request_id=3f2a9c61-1d1f-4b52-9e8e-6a0b2f1c7d11` + "\n"
	text := strings.Repeat(line, 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if r.String(text) != text {
			b.Fatal("changed")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	values := []string{strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz+/ABCDEFGHIJKLMNOPQRSTUVWXY\n", 28), canary, "postgres://app:hunter2@db/x"}
	for b.Loop() {
		New(values...)
	}
}
