package redact

import (
	"strings"
	"testing"
)

// jwtText is a token in the shape of a JWT; the parts are base64 of JSON, the signature is made up.
const jwtText = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIxMjM0NTYiLCJleHAiOjE3NjQwMDAwMDB9.c2lnbmF0dXJlLXRoYXQtaXMtbm9uZQ"

// TestShapes: credentials that nobody told about are hidden, and what stands around them stays readable.
func TestShapes(t *testing.T) {
	t.Parallel()
	forty := strings.Repeat("0aB1", 10)
	for text, want := range map[string]string{
		"token ghp_" + forty[:36] + " used":                                       "token [redacted] used",
		"ghs_" + forty[:36] + ".":                                                 "[redacted].",
		"got ghs_1234567_" + jwtText + ", expires":                                "got [redacted], expires",
		"github_pat_11ABCDEFG0123456789_" + forty + "x":                           "[redacted]",
		`out\nghp_` + forty[:36] + `\nnext`:                                       `out\n[redacted]\nnext`,
		"Bearer " + jwtText:                                                       "Bearer [redacted]",
		"see " + jwtText + ".":                                                    "see [redacted].",
		"AKIAIOSFODNN7EXAMPLE is the id":                                          "[redacted] is the id",
		"aws_secret_access_key = " + forty:                                        "aws_secret_access_key = [redacted]",
		"AWS_SECRET_ACCESS_KEY=" + forty:                                          "AWS_SECRET_ACCESS_KEY=[redacted]",
		"xoxb-1234567890-abcdefghij":                                              "[redacted]",
		"POST https://hooks.slack.com/services/T000AAAA0/B000BBBB0/" + forty[:24]: "POST https://hooks.slack.com/services/[redacted]",
		"key=AIza" + forty[:35] + "&x=1":                                          "key=[redacted]&x=1",
		"dial postgres://app:hunter2@db:5432/shop?sslmode=disable":                "dial postgres://app:[redacted]@db:5432/shop?sslmode=disable",
		"amqp://guest:p@ss:w0rd@mq/":                                              "amqp://guest:[redacted]@mq/",
		"https://x-access-token:" + forty + "@github.com/acme/web":                "https://x-access-token:[redacted]@github.com/acme/web",
		"https://" + forty + "@github.com/acme/web":                               "https://[redacted]@github.com/acme/web",
		"Authorization: Basic dXNlcjpwYXNz":                                       "Authorization: Basic [redacted]",
		`"authorization":"Bearer abc.def"`:                                        `"authorization":"Bearer [redacted]"`,
		`{\"Authorization\":\"token abcdef\"}`:                                    `{\"Authorization\":\"token [redacted]\"}`,
		"map[Accept:[*/*] Authorization:[Bearer abc] Host:[x]]":                   "map[Accept:[*/*] Authorization:[Bearer [redacted]] Host:[x]]",
		`Authorization: Digest username="u", response="abc"`:                      `Authorization: Digest [redacted]"u", response="abc"`,
		"Proxy-Authorization: Basic dXNlcjpwYXNz\nHost: x":                        "Proxy-Authorization: Basic [redacted]\nHost: x",
		"password=hunter2 user=app":                                               "password=[redacted] user=app",
		"DB_PASSWORD=hunter2":                                                     "DB_PASSWORD=[redacted]",
		"PASSWORD1=hunter2":                                                       "PASSWORD1=[redacted]",
		`{"password":"hun,ter2","user":"app"}`:                                    `{"password":"[redacted]","user":"app"}`,
		`{"password":"a\"b c","user":"app"}`:                                      `{"password":"[redacted]","user":"app"}`,
		`"{\"password\":\"hunter2\",\"user\":\"app\"}"`:                           `"{\"password\":\"[redacted]\",\"user\":\"app\"}"`,
		"password: hunter2\n":                                                     "password: [redacted]\n",
		"Pwd=" + forty + ";Server=db":                                             "Pwd=[redacted];Server=db",
		"--token=" + forty:                                                        "--token=[redacted]",
		"client_secret: " + forty:                                                 "client_secret: [redacted]",
		"GET /x?access_token=" + forty + "&page=2":                                "GET /x?access_token=[redacted]&page=2",
		`{"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNzd29yZA=="}}}`:                   `{"auths":{"ghcr.io":{"auth":"[redacted]"}}}`,
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----":  "[redacted]",
		`"-----BEGIN PRIVATE KEY-----\nMHcCAQEE\n-----END PRIVATE KEY-----\n"`:    `"[redacted]\n"`,
		"npm_" + forty[:36] + " glpat-" + forty[:20] + " sk_live_" + forty[:24]:   "[redacted] [redacted] [redacted]",
	} {
		if got := (*Redactor)(nil).String(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if again := (*Redactor)(nil).String(want); again != want {
			t.Errorf("hidden again: %s\n    becomes: %s", want, again)
		}
	}
}

// TestEveryShape: each issuer's credentials go as a whole, wherever they stand in a line, and no shape is without one here.
func TestEveryShape(t *testing.T) {
	t.Parallel()
	forty := strings.Repeat("0aB1", 10)
	samples := map[string]string{ // by their telling beginning: what must not stay
		"ghp_": forty[:36], "gho_": forty[:36], "ghu_": forty[:36], "ghs_": forty[:36], "ghr_": forty + forty[:36],
		"github_pat_": "11ABCDEFG0123456789_" + forty + forty[:19],
		"glpat-":      forty[:20], "glrt-": "t3_" + forty[:20], "gldt-": forty[:20],
		"AKIA": "IOSFODNN7EXAMPLE", "ASIA": "IOSFODNN7EXAMPLE",
		"AIza": forty[:35], "ya29.": "a0Af_" + forty, "GOCSPX-": forty[:28],
		"xoxb-": "123456789012-1234567890123-" + forty[:24], "xoxp-": "1234567890-1234567890-" + forty[:24], "xoxa-": "2-" + forty[:24], "xoxr-": forty[:24],
		"xoxs-": "1234567890-" + forty[:24], "xoxc-": "1234567890-" + forty[:24], "xoxd-": forty[:20] + "%2F" + forty[:20] + "%3D", "xoxe": ".xoxp-1-" + forty, "xapp-": "1-A0123-" + forty,
		"hooks.slack.com/services/": "T000AAAA0/B000BBBB0/" + forty[:24],
		"sk_live_":                  forty[:24], "rk_live_": forty[:24], "sk_test_": forty[:24], "rk_test_": forty[:24], "whsec_": forty[:32],
		"npm_": forty[:36], "_auth=": "dXNlcjpwYXNzd29yZA", "pypi-": "AgEIcHlwaS5vcmc" + forty, "dckr_pat_": forty[:27],
		"hvs.": "CAESI" + forty, "hvb.": "AAAAA" + forty, "dop_v1_": strings.Repeat("0a1b", 16),
		"sk-": "proj-" + forty + forty, "eyJ": strings.TrimPrefix(jwtText, "eyJ"),
		"-----BEGIN ": "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
		"://":         "app:hun-ter2@db/", "authorization": ": Basic dXNlcjpwYXNz", "bearer ": forty, `"auth"`: `: "dXNlcjpwYXNzd29yZA=="`,
		"password": "=hun-ter2", "passwd": "=hun-ter2", "passphrase": "=hun-ter2", "pwd": "=" + forty, "secret": "=" + forty, "token": "=" + forty,
		"apikey": "=" + forty, "api_key": "=" + forty, "api-key": ": " + forty, "accesskey": "=" + forty, "access_key": "=" + forty, "accountkey": "=" + forty,
		"privatekey": "=" + forty, "private_key": "=" + forty, "signature": "=" + forty, "credential": "=" + forty,
	}
	for _, e := range shapes {
		rest, ok := samples[e.text]
		if !ok {
			t.Errorf("no sample of %q", e.text)
			continue
		}
		for _, frame := range []string{"%s", "got %s here", `{"said":"%s"}`, "a=b\n%s\nnext"} {
			before, after, _ := strings.Cut(frame, "%s")
			got := (*Redactor)(nil).String(before + e.text + rest + after)
			for part := range strings.FieldsFuncSeq(rest, func(r rune) bool { return strings.ContainsRune(": \n\"=/@", r) }) {
				if len(part) >= MinLength && strings.Contains(got, part) && part != "OPENSSH" && part != "PRIVATE" {
					t.Errorf("%s stays in %s", part, got)
				}
			}
			if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) {
				t.Errorf("what stands around %s goes as well: %s", e.text, got)
			}
		}
	}
}

// TestOrdinaryText: what logs and the API server's messages are full of stays as it is.
func TestOrdinaryText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`Deployment "web": container web: it has ended 3 times, last with exit code 3.`,
		`FATAL: password authentication failed for user "app"`,
		"invalid password: must be at least 8 characters",
		"wrong password: retry",
		`password: "" is not allowed`,
		"PWD=/app HOME=/root",
		"pulling image registry.example.com/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"commit 1a2b3c4d5e6f7890abcdef1234567890abcdef12 is head",
		`MountVolume.SetUp failed for volume "creds" : secret "database" not found`,
		`secret="default/web-tls-6d4cf56db6"`,
		"serviceAccountToken: projected volume kube-api-access-x7k2p",
		`secretName: web-tls-certificate-2026`,
		"token=<nil> password=${DB_PASSWORD} secret={{ .Values.secret }}",
		"unexpected token: end of file",
		"Unexpected token } in JSON at position 120",
		"token: web-6d4cf56db6-x7k2p.preview",
		"GET https://api.github.com/repos/acme/web/pulls/7: 404",
		"https://example.com/@dora and mailto:dora@example.com",
		"ssh://git@github.com/acme/web.git",
		"http://10.0.0.1:8080/path@2x.png",
		"Authorization: required",
		"authorization.k8s.io/v1, Kind=SubjectAccessReview",
		"password_file=/run/secrets/db token_id=12345678901234567890ab",
		"the bearer of bad news",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"eyJhbG is not a token",
		"request_id=3f2a9c61-1d1f-4b52-9e8e-6a0b2f1c7d11",
		"github.webhook_secret (catalyst.yaml:3): must be set, in the file or as CATALYST_GITHUB_WEBHOOK_SECRET",
		"failed to create typed patch object (pr-web-7/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema",
		"password changed, credentials: ok, signature: valid",
		"skipping AKIA and ghp_ prefixes, task-list sk-something",
	} {
		if got := (*Redactor)(nil).String(text); got != text {
			t.Errorf("%s\nbecomes %s", text, got)
		}
	}
}

func FuzzString(f *testing.F) {
	f.Add("Authorization: Bearer x", "secret-value")
	f.Add("-----BEGIN PRIVATE KEY-----\n…", "a\nb")
	f.Fuzz(func(t *testing.T, text, secret string) {
		secret = strings.TrimSpace(secret)
		got := New(secret).String(text + secret + text)
		if len(secret) >= MinLength && !strings.Contains(Mark, secret) && strings.Contains(strings.ReplaceAll(got, Mark, "\x00"), secret) {
			t.Errorf("%q still holds %q", got, secret)
		}
	})
}
