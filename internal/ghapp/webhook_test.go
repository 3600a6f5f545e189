package ghapp_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/ghspec"
)

// The vector is GitHub's own, from its documentation on validating deliveries.
const (
	vectorSecret    = "It's a Secret to Everybody"
	vectorBody      = "Hello, World!"
	vectorSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	old := hmac.New(sha1.New, []byte(vectorSecret))
	old.Write([]byte(vectorBody))
	sha1Signature := "sha1=" + hex.EncodeToString(old.Sum(nil))
	for _, c := range []struct {
		name    string
		secrets []string
		headers []string
		body    string
		ok      bool
	}{
		{"GitHub's vector", []string{vectorSecret}, []string{vectorSignature}, vectorBody, true},
		{"the previous secret", []string{"new", vectorSecret}, []string{vectorSignature}, vectorBody, true},
		{"the new secret", []string{vectorSecret, "previous"}, []string{vectorSignature}, vectorBody, true},
		{"another secret", []string{"other"}, []string{vectorSignature}, vectorBody, false},
		{"another body", []string{vectorSecret}, []string{vectorSignature}, vectorBody + " ", false},
		{"no signature", []string{vectorSecret}, nil, vectorBody, false},
		{"an empty digest", []string{vectorSecret}, []string{"sha256="}, vectorBody, false},
		{"a short digest", []string{vectorSecret}, []string{vectorSignature[:len(vectorSignature)-2]}, vectorBody, false},
		{"a long digest", []string{vectorSecret}, []string{vectorSignature + "00"}, vectorBody, false},
		{"no prefix", []string{vectorSecret}, []string{strings.TrimPrefix(vectorSignature, "sha256=")}, vectorBody, false},
		{"two signatures", []string{vectorSecret}, []string{vectorSignature, vectorSignature}, vectorBody, false},
		{"two in one", []string{vectorSecret}, []string{vectorSignature + "," + vectorSignature}, vectorBody, false},
		{"SHA-1", []string{vectorSecret}, []string{sha1Signature}, vectorBody, false},
		{"no secrets", nil, []string{vectorSignature}, vectorBody, false},
		{"an empty secret", []string{""}, []string{sign("", vectorBody)}, vectorBody, false},
		{"an empty previous secret", []string{vectorSecret, ""}, []string{sign("", vectorBody)}, vectorBody, false},
	} {
		var secrets [][]byte
		for _, s := range c.secrets {
			secrets = append(secrets, []byte(s))
		}
		header := http.Header{"X-Hub-Signature": {sha1Signature}}
		for _, h := range c.headers {
			header.Add("X-Hub-Signature-256", h)
		}
		err := ghapp.Verify(secrets, header, []byte(c.body))
		if c.ok != (err == nil) || err != nil && !errors.Is(err, preview.ErrSigned) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

const sha = "0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0a0b"

// body is a payload of a pull request with a part of it changed: merge is JSON laid over it, null takes a key out.
func body(t testing.TB, merge string) []byte {
	t.Helper()
	var low, high map[string]any
	for text, to := range map[string]*map[string]any{
		`{"action": "opened", "number": 7, "installation": {"id": 5},
			"repository": {"id": 1, "full_name": "acme/web", "private": true},
			"pull_request": {"number": 7, "state": "open", "title": "Blue", "draft": true, "merged": false, "comments": 3, "user": {"login": "dora"},
				"head": {"ref": "blue", "sha": "` + sha + `", "repo": {"id": 2, "full_name": "octo/web"}},
				"base": {"ref": "main", "sha": "` + sha + `", "repo": {"id": 1}}}}`: &low,
		merge: &high,
	} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	var lay func(low, high map[string]any)
	lay = func(low, high map[string]any) {
		for k, v := range high {
			lowMap, both := low[k].(map[string]any)
			highMap, isMap := v.(map[string]any)
			if both && isMap {
				lay(lowMap, highMap)
				continue
			}
			low[k] = v
		}
	}
	lay(low, high)
	data, err := json.Marshal(low)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	t.Parallel()
	full := preview.PullRequest{
		Key: preview.Key{RepositoryID: 1, Number: 7}, Repository: "acme/web", InstallationID: 5, Private: true, Title: "Blue", Author: "dora",
		Branch: "blue", BaseBranch: "main", HeadSHA: sha, HeadRepositoryID: 2, HeadRepository: "octo/web", Open: true, Draft: true, Comments: 3,
	}
	nulls := full
	nulls.HeadRepository, nulls.InstallationID, nulls.Author, nulls.HeadRepositoryID, nulls.Comments, nulls.Draft, nulls.Title = "", 0, "ghost", 0, -1, false, ""
	robot := full
	robot.Author, robot.Bot = "renovate[bot]", true
	merged := full
	merged.Open, merged.Merged = false, true
	for _, c := range []struct {
		name, merge, action string
		want                preview.PullRequest
	}{
		{"opened", `{}`, "opened", full},
		{"reopened", `{"action": "reopened"}`, "reopened", full},
		{"synchronize", `{"action": "synchronize", "before": "x"}`, "synchronize", full},
		{"ready", `{"action": "ready_for_review"}`, "ready_for_review", full},
		{"draft", `{"action": "converted_to_draft"}`, "converted_to_draft", full},
		{"merged", `{"action": "closed", "pull_request": {"state": "closed", "merged": true}}`, "closed", merged},
		{"base changed", `{"action": "edited", "changes": {"base": {"ref": {"from": "old"}}}}`, "edited", full},
		{"by an App", `{"pull_request": {"user": {"login": "renovate[bot]", "type": "Bot"}}}`, "opened", robot},
		{"nulls", `{"installation": null, "pull_request": {"user": null, "mergeable": null, "body": null, "merged": null, "comments": null,
			"draft": null, "title": null, "head": {"repo": null}}}`, "opened", nulls},
	} {
		got, err := ghapp.Parse("pull_request", body(t, c.merge))
		want := ghapp.Hint{Event: "pull_request", Action: c.action, Repository: "acme/web", Number: 7, HasPullRequest: true, PullRequest: c.want}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

// TestParseUnused (T28): what changes nothing is said in a sentence, not as an error.
func TestParseUnused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ event, body, reason string }{
		{"star", `{"action": "created"}`, `event "star" is not used`},
		{"ping", `{"zen": "Keep it logically awesome."}`, `event "ping" is not used`},
		{"pull_request_review", string(body(t, `{"action": "submitted"}`)), `event "pull_request_review" is not used`},
		{"", `{}`, `event "" is not used`},
		{"pull_request", string(body(t, `{"action": "labeled"}`)), `action "labeled" changes nothing here`},
		{"pull_request", string(body(t, `{"action": "enqueued_by_a_wizard"}`)), `action "enqueued_by_a_wizard" changes nothing here`},
		{"pull_request", string(body(t, `{"action": "edited", "changes": {"title": {"from": "x"}}}`)), `action "edited" changes nothing here unless it changes the base branch`},
		{"pull_request", string(body(t, `{"action": "edited", "changes": null}`)), `action "edited" changes nothing here unless it changes the base branch`},
	} {
		got, err := ghapp.Parse(c.event, []byte(c.body))
		if err != nil || got.HasPullRequest || got.Reason != c.reason {
			t.Errorf("%s: %+v, %v; want the reason %q", c.event, got, err, c.reason)
		}
	}
}

// TestParseRefuses: the event's name is not signed, so the body alone must show that it is about a pull request.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"not JSON": `<html>`, "nothing": ``, "null": `null`, "a list": `[]`, "text as number": `{"number": "7"}`,
		"no action":           string(body(t, `{"action": null}`)),
		"a review":            string(body(t, `{"number": null}`)),
		"a comment":           string(body(t, `{"pull_request": null}`)),
		"number 0":            string(body(t, `{"number": 0, "pull_request": {"number": 0}}`)),
		"two numbers":         string(body(t, `{"number": 8}`)),
		"no repository":       string(body(t, `{"repository": null}`)),
		"no repository id":    string(body(t, `{"repository": {"id": null}}`)),
		"no repository name":  string(body(t, `{"repository": {"full_name": ""}}`)),
		"other repository":    string(body(t, `{"repository": {"id": 3}}`)),
		"no state":            string(body(t, `{"pull_request": {"state": null}}`)),
		"no head":             string(body(t, `{"pull_request": {"head": null}}`)),
		"short SHA":           string(body(t, `{"pull_request": {"head": {"sha": "0a0b0c0"}}}`)),
		"SHA of another mind": string(body(t, `{"pull_request": {"head": {"sha": "../../../../../../../../../../../../../aa"}}}`)),
		"no base":             string(body(t, `{"pull_request": {"base": null}}`)),
	} {
		if got, err := ghapp.Parse("pull_request", []byte(data)); !errors.Is(err, preview.ErrInvalid) || got.HasPullRequest {
			t.Errorf("%s: %+v, %v; want ErrInvalid", name, got, err)
		}
	}
}

// TestParseOddities (W5): numbers that no integer holds, keys given twice and bytes that are no text are refused or come to one meaning.
func TestParseOddities(t *testing.T) {
	t.Parallel()
	plain := string(body(t, `{}`))
	with := func(old, odd string) []byte {
		t.Helper()
		if !strings.Contains(plain, old) {
			t.Fatalf("%s is not in %s", old, plain)
		}
		return []byte(strings.Replace(plain, old, odd, 1))
	}
	for name, data := range map[string][]byte{
		"a number beyond 64 bits": with(`"number":7`, `"number":99999999999999999999`),
		"a number beyond floats":  with(`"number":7`, `"number":1e400`),
		"a negative number":       with(`"number":7`, `"number":-7`),
		"a fraction":              with(`"number":7`, `"number":7.5`),
		"two numbers":             with(`"number":7`, `"number":7,"number":8`),
		"a huge id":               with(`"id":5`, `"id":`+strings.Repeat("9", 4000)),
		"nested without end":      with(`"title":"Blue"`, `"title":`+strings.Repeat("[", 20_000)),
	} {
		if got, err := ghapp.Parse("pull_request", data); !errors.Is(err, preview.ErrInvalid) || got.HasPullRequest {
			t.Errorf("%s: %+v, %v; want ErrInvalid", name, got, err)
		}
	}
	got, err := ghapp.Parse("pull_request", with(`"full_name":"acme/web"`, `"full_name":"acme/web","full_name":"evil/web"`))
	if err != nil || got.Repository != got.PullRequest.Repository {
		t.Errorf("two names: %+v, %v", got, err)
	}
	got, err = ghapp.Parse("pull_request", with(`"title":"Blue"`, "\"title\":\"\xff\xfe\xed\xa0\x80Blue\""))
	if err != nil || !utf8.ValidString(got.PullRequest.Title) {
		t.Errorf("bytes that are no text: %q, %v", got.PullRequest.Title, err)
	}
}

// TestParseRecorded parses everything that was ever recorded from GitHub.
func TestParseRecorded(t *testing.T) {
	t.Parallel()
	payloads, err := ghspec.Payloads()
	if err != nil || len(payloads) < 40 {
		t.Fatalf("%d recorded payloads, %v", len(payloads), err)
	}
	used := map[string]int{}
	for _, p := range payloads {
		hint, err := ghapp.Parse(p.Event, p.Body)
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if hint.Action != p.Action || hint.HasPullRequest == (hint.Reason != "") {
			t.Errorf("%s: %+v", p.Name, hint)
		}
		if !hint.HasPullRequest {
			continue
		}
		used[p.Action]++
		pr := hint.PullRequest
		if pr.RepositoryID == 0 || pr.HeadRepositoryID != pr.RepositoryID || pr.Repository != "Codertocat/Hello-World" || pr.Author != "Codertocat" ||
			!preview.ValidSHA(pr.HeadSHA) || pr.Number == 0 || pr.Branch == "" || pr.BaseBranch != "master" || pr.Open == (p.Action == "closed") {
			t.Errorf("%s: %+v", p.Name, pr)
		}
		// The same body under another name must not pass for anything.
		if other, err := ghapp.Parse("push", p.Body); err != nil || other.HasPullRequest {
			t.Errorf("%s as a push: %+v, %v", p.Name, other, err)
		}
	}
	for _, action := range []string{"opened", "reopened", "synchronize", "closed", "ready_for_review", "converted_to_draft"} {
		if used[action] == 0 {
			t.Errorf("no recorded payload gave a hint for %q", action)
		}
	}
	// A body of another event that comes as a pull request's has not its shape.
	for _, p := range payloads {
		if p.Event == "pull_request" {
			continue
		}
		if hint, err := ghapp.Parse("pull_request", p.Body); err == nil || hint.HasPullRequest {
			t.Errorf("%s passes for a pull request: %+v", p.Name, hint)
		}
	}
}

// FuzzParse: whatever the body, there is no panic, and a pull request that comes out is one that can be used.
func FuzzParse(f *testing.F) {
	payloads, err := ghspec.Payloads()
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range payloads {
		f.Add(p.Event, p.Body)
	}
	f.Add("pull_request", body(f, `{"pull_request": {"head": {"repo": null}, "user": null}}`))
	f.Fuzz(func(t *testing.T, event string, data []byte) {
		hint, err := ghapp.Parse(event, data)
		if err != nil && (!errors.Is(err, preview.ErrInvalid) || hint.HasPullRequest) {
			t.Errorf("%v with %+v", err, hint)
		}
		if err == nil && hint.HasPullRequest == (hint.Reason != "") {
			t.Errorf("neither or both a pull request and a reason: %+v", hint)
		}
		pr := hint.PullRequest
		if hint.HasPullRequest && (pr.RepositoryID <= 0 || pr.Number <= 0 || pr.Repository == "" || !preview.ValidSHA(pr.HeadSHA) || pr.Author == "") {
			t.Errorf("not a pull request: %+v", pr)
		}
	})
}
