package redact

import (
	"bytes"
	"unicode"
)

// recognise decides whether a shape stands at the beginning of the view, whose first n bytes are the entry's text. The span is the part to hide. It
// must ask for more whenever text that is not there yet could change its answer.
type recognise func(v view, n int) verdict

// shapes are what credentials look like. Made from the issuers' descriptions of their formats, for text in which a false alarm costs a
// reader something: what ordinary logs are full of must pass.
var shapes = []entry{
	// GitHub. Since 2026 a token of an App may be ghs_, the App's number and a JWT: no fixed length, with dots.
	{text: "ghs_", recognise: token(wordDashDot, 20)},
	{text: "ghp_", recognise: token(word, 20)},
	{text: "gho_", recognise: token(word, 20)},
	{text: "ghu_", recognise: token(word, 20)},
	{text: "ghr_", recognise: token(word, 20)},
	{text: "github_pat_", recognise: token(word, 20)},
	{text: "glpat-", recognise: token(wordDashDot, 16)}, // GitLab: of persons, runners and deployments
	{text: "glrt-", recognise: token(wordDashDot, 16)},
	{text: "gldt-", recognise: token(wordDashDot, 16)},
	{text: "AKIA", recognise: exact(upperDigits, 16)}, // AWS: the key's id, long-lived and passing
	{text: "ASIA", recognise: exact(upperDigits, 16)},
	{text: "AIza", recognise: token(base64URL, 30)}, // Google
	{text: "ya29.", recognise: token(wordDashDot, 20)},
	{text: "GOCSPX-", recognise: token(base64URL, 20)},
	{text: "xoxb-", recognise: token(wordDashDot, 10)}, // Slack
	{text: "xoxp-", recognise: token(wordDashDot, 10)},
	{text: "xoxa-", recognise: token(wordDashDot, 10)},
	{text: "xoxr-", recognise: token(wordDashDot, 10)},
	{text: "xoxs-", recognise: token(wordDashDot, 10)},
	{text: "xoxc-", recognise: token(wordDashDot, 10)}, // of a browser, with its cookie
	{text: "xoxd-", recognise: token(cookie, 10)},
	{text: "xoxe", recognise: token(wordDashDot, 20)},
	{text: "xapp-", recognise: token(wordDashDot, 20)},
	{text: "hooks.slack.com/services/", recognise: after(token(pathLike, 20))},
	{text: "sk_live_", recognise: token(word, 16)}, // Stripe
	{text: "rk_live_", recognise: token(word, 16)},
	{text: "sk_test_", recognise: token(word, 16)},
	{text: "rk_test_", recognise: token(word, 16)},
	{text: "whsec_", recognise: token(base64Any, 16)},
	{text: "npm_", recognise: token(alphanumeric, 30)},
	{text: "pypi-", recognise: token(base64URL, 50)},
	{text: "dckr_pat_", recognise: token(base64URL, 20)},
	{text: "hvs.", recognise: token(base64URL, 20)}, // Vault
	{text: "hvb.", recognise: token(base64URL, 20)},
	{text: "dop_v1_", recognise: token(alphanumeric, 40)}, // DigitalOcean
	{text: "sk-", recognise: token(wordDash, 40)},
	{text: "eyJ", recognise: jwt},
	{text: "-----BEGIN ", recognise: privateKey},
	{text: "://", recognise: userinfo},
	{text: "authorization", fold: true, recognise: authorization},
	{text: "bearer ", fold: true, recognise: bearer},
	{text: `"auth"`, recognise: dockerAuth},
	{text: "_auth=", recognise: after(token(base64Any, 8))}, // npm's, for a registry
	{text: "password", fold: true, recognise: assigned(strong)},
	{text: "passwd", fold: true, recognise: assigned(strong)},
	{text: "passphrase", fold: true, recognise: assigned(strong)},
	{text: "pwd", fold: true, recognise: assigned(weak)},
	{text: "secret", fold: true, recognise: assigned(weak)},
	{text: "token", fold: true, recognise: assigned(weak)},
	{text: "apikey", fold: true, recognise: assigned(weak)},
	{text: "api_key", fold: true, recognise: assigned(weak)},
	{text: "api-key", fold: true, recognise: assigned(weak)},
	{text: "accesskey", fold: true, recognise: assigned(weak)},
	{text: "access_key", fold: true, recognise: assigned(weak)},
	{text: "accountkey", fold: true, recognise: assigned(weak)},
	{text: "privatekey", fold: true, recognise: assigned(weak)},
	{text: "private_key", fold: true, recognise: assigned(weak)},
	{text: "signature", fold: true, recognise: assigned(weak)},
	{text: "credential", fold: true, recognise: assigned(weak)},
}

// cutLeast is how much of a token suffices where the text was cut, if it has letters and digits.
const cutLeast = 8

// token is a beginning with at least so many characters of the set after it.
func token(set *charset, least int) recognise {
	return func(v view, n int) verdict {
		end, more := v.run(n, set)
		if more {
			return verdict{more: true}
		}
		ok := end-n >= least
		if !ok && end-n >= cutLeast && mixed(v.text[n:end]) {
			if ok, more = isCut(v.text[end:], v.last); more {
				return verdict{more: true}
			}
		}
		for end > n && v.text[end-1] == '.' {
			end--
		}
		return verdict{span: span{0, end}, found: ok}
	}
}

// mixed reports whether there are letters and digits.
func mixed(text []byte) bool {
	return bytes.ContainsAny(text, "0123456789") && bytes.ContainsFunc(text, unicode.IsLetter)
}

// exact is a beginning with exactly so many characters of the set, and no further letter or digit.
func exact(set *charset, count int) recognise {
	return func(v view, n int) verdict {
		end, more := v.run(n, set)
		if more && end-n <= count {
			return verdict{more: true}
		}
		return verdict{span: span{0, end}, found: end-n == count && (end == len(v.text) || !alphanumeric.has(v.text[end]))}
	}
}

// after hides what follows the beginning, not the beginning itself.
func after(r recognise) recognise {
	return func(v view, n int) verdict {
		out := r(v, n)
		out.start = n
		return out
	}
}

// jwt is two to five parts with dots between; the first begins with the base64 of `{"`.
func jwt(v view, n int) verdict {
	const part = 8
	end, parts := n, 0
	for parts < 5 {
		stop, more := v.run(end, base64URL)
		if more {
			return verdict{more: true}
		}
		if parts < 2 && stop-end < part {
			cut, more := isCut(v.text[stop:], v.last)
			return verdict{span: span{0, stop}, found: cut && stop > 2*part, more: more}
		}
		parts++
		end = stop
		if parts == 5 || end == len(v.text) || v.text[end] != '.' {
			break
		}
		if end+1 == len(v.text) && !v.last {
			return verdict{more: true}
		}
		if parts >= 2 && (end+1 == len(v.text) || !base64URL.has(v.text[end+1])) {
			break // the end of a sentence
		}
		end++
	}
	if parts >= 2 {
		return verdict{span: span{0, end}, found: true}
	}
	cut, more := isCut(v.text[end:], v.last)
	return verdict{span: span{0, end}, found: cut && end > 2*part, more: more}
}

var (
	dashes     = []byte("-----")
	keyEnd     = []byte("-----END ")
	privateTag = []byte("PRIVATE KEY")
)

// privateKey is a PEM block of a private key, to its end, or as far as the text goes on like one.
func privateKey(v view, n int) verdict {
	label := bytes.Index(v.text[n:], dashes)
	if label < 0 {
		if short := len(v.text)-n < 64; short && !v.last {
			return verdict{more: true}
		}
		return verdict{}
	}
	if label > 64 || !bytes.Contains(v.text[n:n+label], privateTag) {
		return verdict{}
	}
	body := n + label + len(dashes)
	end := bytes.Index(v.text[body:], keyEnd)
	if end >= 0 {
		end += body + len(keyEnd)
		if rest := bytes.Index(v.text[end:], dashes); rest >= 0 {
			return verdict{span: span{0, end + rest + len(dashes)}, found: true}
		}
	}
	if !v.last {
		return verdict{more: true}
	}
	stop, _ := v.run(body, pemBody)
	for stop > body && v.text[stop-1] == '\\' { // of what follows
		stop--
	}
	return verdict{span: span{0, max(stop, end)}, found: true}
}

// headless hides the lines of a private key whose beginning was left out, as the end of a log may.
func headless(text string) string {
	b := []byte(text)
	end := bytes.Index(b, keyEnd)
	if end < 0 || !bytes.Contains(b[end:], privateTag) || bytes.Contains(b[:end], []byte("-----BEGIN ")) {
		return text
	}
	start := end
	for start > 0 && pemBody.has(b[start-1]) && b[start-1] != ' ' {
		start--
	}
	stop := bytes.Index(b[end+len(keyEnd):], dashes)
	if stop < 0 {
		stop = len(b)
	} else {
		stop += end + len(keyEnd) + len(dashes)
	}
	return text[:start] + Mark + text[stop:]
}
