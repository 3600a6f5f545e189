package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/seal"
)

const place = "deliveries/body/0198"

func parse(t *testing.T, lines ...string) *seal.Keys {
	t.Helper()
	k, err := seal.Parse(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	k := parse(t, "# the one that seals", "", seal.Generate())
	for _, plain := range []string{"", "x", strings.Repeat("secret ", 10_000)} {
		sealed := k.Seal(place, []byte(plain))
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain[:6])) {
			t.Error("it is not encrypted")
		}
		if bytes.Equal(sealed, k.Seal(place, []byte(plain))) {
			t.Error("the same value is sealed the same way twice")
		}
		opened, err := k.Open(place, sealed)
		if err != nil || string(opened) != plain {
			t.Errorf("opened %.20q, %v; want %.20q", opened, err, plain)
		}
	}
}

// TestOnlyWhatWasSealed: a changed bit, a value of another row, a value cut short: none opens.
func TestOnlyWhatWasSealed(t *testing.T) {
	t.Parallel()
	k := parse(t, seal.Generate())
	sealed := k.Seal(place, []byte("secret"))
	for i := seal.HeadLength; i < len(sealed); i++ {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open(place, changed); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := seal.HeadLength; n < len(sealed); n++ {
		if _, err := k.Open(place, sealed[:n]); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if _, err := k.Open("deliveries/body/0199", sealed); !errors.Is(err, preview.ErrInvalid) {
		t.Errorf("in another row: %v", err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	older, newer := seal.Generate(), seal.Generate()
	before, after := parse(t, older), parse(t, newer, older)
	sealed := before.Seal(place, []byte("secret"))
	if opened, err := after.Open(place, sealed); err != nil || string(opened) != "secret" {
		t.Errorf("%q, %v", opened, err)
	}
	if after.Current(sealed) || !after.Current(after.Seal(place, nil)) || after.Current([]byte("plain")) {
		t.Error("Current tells another key than the first")
	}
	id, _ := seal.KeyID(sealed)
	for name, k := range map[string]*seal.Keys{"none": nil, "another": parse(t, newer)} {
		_, err := k.Open(place, sealed)
		if !errors.Is(err, preview.ErrInvalid) || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), "encryption_keys_file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := parse(t, id+seal.Generate()[8:])
	if _, err := other.Open(place, sealed); !errors.Is(err, preview.ErrInvalid) || !strings.Contains(err.Error(), "another key of the id") {
		t.Errorf("same id, another key: %v", err)
	}
}

func TestWithoutKeys(t *testing.T) {
	t.Parallel()
	var none *seal.Keys
	plain := []byte(`{"action":"opened"}`)
	if got := none.Seal(place, plain); !bytes.Equal(got, plain) || !none.Current(got) {
		t.Errorf("%q", got)
	}
	for _, k := range []*seal.Keys{none, parse(t, seal.Generate())} {
		if got, err := k.Open(place, plain); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := seal.Generate()
	for text, want := range map[string]string{
		"":                          "no key",
		"# nothing":                 "no key",
		"secret":                    "line 1",
		good + "\n" + good:          "twice",
		good + "\n" + good[:30]:     "line 2",
		"ABCDEF01" + good[8:]:       "line 1",
		good[:9] + "c2hvcnQ=":       "line 1",
		strings.TrimSpace(good)[1:]: "line 1",
	} {
		if _, err := seal.Parse(text); !errors.Is(err, preview.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		} else if strings.Contains(err.Error(), good[9:]) {
			t.Errorf("the key is shown: %v", err)
		}
	}
}
