package preview_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/preview"
)

// TestParseOrder: the first line counts, and what is not one order in the known shape is none, or one that nobody obeys.
func TestParseOrder(t *testing.T) {
	t.Parallel()
	for comment, want := range map[string]string{
		"/preview deploy":                      "deploy|",
		"  /preview   Deploy  ":                "deploy|",
		"/preview deploy\r\nPlease.":           "deploy|",
		"/preview":                             "help|",
		"/preview approve A1B2c3d":             "approve|A1B2c3d",
		"/preview logs web":                    "logs|web",
		"/preview frobnicate":                  "frobnicate|",
		"/preview approve a1b2c3d now":         "approve|a1b2c3d …",
		"/preview deploy /preview destroy":     "deploy|? …",
		"/preview `x`":                         "?|",
		"/preview approve <script>":            "approve|?",
		"/preview @acme/team":                  "?|",
		"/preview -x":                          "?|",
		"/preview destroy\n/preview approve x": "destroy|",
		"/preview " + strings.Repeat("a", 999): strings.Repeat("a", 64) + "|",
		"\n/preview deploy":                    "none",
		"Please\n/preview deploy":              "none",
		"> /preview deploy":                    "none",
		"`/preview deploy`":                    "none",
		"please /preview deploy":               "none",
		"/previews deploy":                     "none",
		"/PREVIEW deploy":                      "none",
		"":                                     "none",
		"### Preview ready":                    "none",
	} {
		order, ok := preview.ParseOrder(comment)
		got := string(order.Verb) + "|" + order.Argument
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", comment, got, want)
		}
	}
}

// TestOrdersAreHarmless: whatever is written, verb and argument are short and hold nothing that could be more than a word.
func TestOrdersAreHarmless(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		order, ok := preview.ParseOrder("/preview " + rapid.String().Draw(rt, "rest"))
		if !ok {
			rt.Fatal("no order")
		}
		for _, w := range []string{string(order.Verb), order.Argument} {
			if !utf8.ValidString(w) || len(w) > 80 || strings.ContainsAny(w, "\n\r\t`<>@#|*\"'$\\") {
				rt.Fatalf("%q", w)
			}
		}
		again, _ := preview.ParseOrder(order.String())
		if order.Verb != "?" && !strings.HasPrefix(order.Argument, "?") && !strings.Contains(order.Argument, "…") && again != order {
			rt.Fatalf("%q is read as %q", order, again)
		}
	})
}
