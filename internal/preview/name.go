package preview

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// maxLabel is the longest DNS-1123 label, and so the longest namespace name.
const maxLabel = 63

// Names returns the names a preview may take as its namespace and as the first label of its host, best first. The caller takes
// the first one that nobody else holds (the store reserves it for ever).
//
// The first is the design's `pr-{repo}-{number}` (S1), left out when it does not fit or the repository's name has nothing
// a label can hold. The others put a hash of host and repository id in, so that repositories whose names are
// written alike (`acme/web` and `evil/web`, `my.repo` and `my_repo`) never share a name. Neither the number nor the hash is ever cut. Each
// name is a valid DNS-1123 label of at most 63 characters. host is the GitHub host ("github.com"), repository the full or the
// short name, number at least 1.
func Names(host, repository string, key Key) []string {
	sum := sha256.Sum256([]byte(host + "/" + strconv.FormatInt(key.RepositoryID, 10)))
	digest := hex.EncodeToString(sum[:])
	number := strconv.Itoa(key.Number)
	label := Label(repository)

	var names []string
	if plain := "pr-" + label + "-" + number; label != "" && len(plain) <= maxLabel {
		names = append(names, plain)
	}
	for _, hashLen := range []int{8, 24} {
		tail := "-" + digest[:hashLen] + "-" + number
		head := "pr"
		if room := maxLabel - len("pr-") - len(tail); label != "" {
			head = "pr-" + strings.TrimRight(label[:min(len(label), room)], "-")
		}
		names = append(names, head+tail)
	}
	return names
}

// Label turns a repository's full or short name into what a DNS label can hold (S1): the owner is dropped, lower case, everything but
// a-z, 0-9 and "-" becomes "-", runs of "-" collapse, "-" at the ends is trimmed. The result may be empty.
func Label(repository string) string {
	short := repository[strings.LastIndex(repository, "/")+1:]
	var b strings.Builder
	for _, r := range strings.ToLower(short) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && s[len(s)-1] != '-' {
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// ValidSHA reports whether s is a full commit SHA: 40 lower-case hex characters (S11).
func ValidSHA(s string) bool {
	if len(s) != 40 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// ShortSHA is the seven characters people read; shorter input is returned as it is.
func ShortSHA(sha string) string { return sha[:min(len(sha), 7)] }
