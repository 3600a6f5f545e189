// Package seal encrypts what the database keeps of other people's secrets: AES-256 in Galois/Counter Mode, under the first of several keys. It has no
// effects, and does not know where what it seals is kept.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// A sealed value is magic, the id of its key, a random nonce, and the ciphertext with its tag. No JSON begins with a zero byte, so a value that was
// stored before there were keys is told from a sealed one.
const (
	magic    = "\x00seal1"
	idLength = 8
	keyBytes = 32
	// HeadLength is how much of a sealed value tells its key.
	HeadLength = len(magic) + idLength
)

// Keys are the keys of one server: the first seals, all open. It never changes and is safe for concurrent use. Nil, and one without a key, leave
// values as they are and refuse sealed ones.
type Keys struct {
	first string // id
	byID  map[string]cipher.AEAD
}

var keyLine = regexp.MustCompile(`^([0-9a-f]{8}):([A-Za-z0-9+/]{43}=)$`)

// Parse reads keys: one a line as Generate gives it, the one that seals first; empty lines and those that begin with # do not count.
// preview.ErrInvalid for anything else.
func Parse(text string) (*Keys, error) {
	k := &Keys{byID: map[string]cipher.AEAD{}}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := keyLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d is not a key as `catalyst keys new` prints it: %w", i+1, preview.ErrInvalid)
		}
		if k.byID[m[1]] != nil {
			return nil, fmt.Errorf("line %d: key %s is there twice: %w", i+1, m[1], preview.ErrInvalid)
		}
		raw, err := base64.StdEncoding.DecodeString(m[2])
		if err != nil || len(raw) != keyBytes {
			return nil, fmt.Errorf("line %d: key %s does not have %d bytes: %w", i+1, m[1], keyBytes, preview.ErrInvalid)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if k.byID[m[1]], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if k.first == "" {
			k.first = m[1]
		}
	}
	if k.first == "" {
		return nil, fmt.Errorf("there is no key in it: `catalyst keys new` prints one: %w", preview.ErrInvalid)
	}
	return k, nil
}

// Generate returns a new key as a line for the key file.
func Generate() string {
	random := make([]byte, idLength/2+keyBytes)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random[:idLength/2]) + ":" + base64.StdEncoding.EncodeToString(random[idLength/2:])
}

// Seal encrypts a value for one place ("table/column/row"): nowhere else does it open.
func (k *Keys) Seal(place string, plain []byte) []byte {
	if k == nil || k.first == "" {
		return plain
	}
	aead := k.byID[k.first]
	out := make([]byte, HeadLength, HeadLength+aead.NonceSize()+len(plain)+aead.Overhead())
	copy(out, magic+k.first)
	nonce := out[HeadLength : HeadLength+aead.NonceSize()]
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(out[:HeadLength+aead.NonceSize()], nonce, plain, extra(k.first, place))
}

// Open returns the value that was sealed for the place. One that was never sealed comes back as it is. preview.ErrInvalid when the key is missing, or
// when the value is not what was sealed for the place.
func (k *Keys) Open(place string, stored []byte) ([]byte, error) {
	id, sealed := KeyID(stored)
	if !sealed {
		return stored, nil
	}
	if err := k.Has(id); err != nil {
		return nil, fmt.Errorf("open %s: %w", place, err)
	}
	aead := k.byID[id]
	rest := stored[HeadLength:]
	if len(rest) < aead.NonceSize() {
		return nil, fmt.Errorf("open %s: it was cut off: %w", place, preview.ErrInvalid)
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], extra(id, place))
	if err != nil {
		return nil, fmt.Errorf("open %s: it was changed, moved here from elsewhere, or sealed with another key of the id %s: %w", place, id, preview.ErrInvalid)
	}
	return plain, nil
}

// Has returns nil when there is a key of the id, and preview.ErrInvalid with what to do when there is none.
func (k *Keys) Has(id string) error {
	switch {
	case k == nil || k.first == "":
		return fmt.Errorf("it is encrypted with key %s and there are no keys: set encryption_keys_file to the file that has it: %w", id, preview.ErrInvalid)
	case k.byID[id] == nil:
		return fmt.Errorf("it is encrypted with key %s, which is not among the keys: put its line back into encryption_keys_file: %w", id, preview.ErrInvalid)
	}
	return nil
}

// Current reports whether Seal would use the same key for the stored value.
func (k *Keys) Current(stored []byte) bool {
	id, _ := KeyID(stored)
	return k == nil && id == "" || k != nil && id == k.first
}

// KeyID returns the id of the key with which a stored value, or the head of one, was sealed; false when it was not.
func KeyID(stored []byte) (string, bool) {
	if len(stored) < HeadLength || !bytes.HasPrefix(stored, []byte(magic)) {
		return "", false
	}
	return string(stored[len(magic):HeadLength]), true
}

func extra(id, place string) []byte { return []byte(magic + id + place) }
