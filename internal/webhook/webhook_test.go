package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/internal/webhook"
	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/ghspec"
)

const secret, previous = "current secret", "previous secret"

// bench is a webhook in front of a real database.
type bench struct {
	*testing.T
	store  *store.Store
	server *httptest.Server
}

func setup(t *testing.T) *bench {
	t.Helper()
	s := storetest.SQLite(t)
	log := slog.New(slog.DiscardHandler)
	door := lifecycle.New(s, policy.Rules{GitHubHost: "github.com", Repositories: []string{"Codertocat/Hello-World"}}, log, nil)
	h, err := webhook.New(webhook.Options{Lifecycle: door, Secrets: [][]byte{[]byte(secret), []byte(previous)}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &bench{t, s, server}
}

// post sends a body with GitHub's headers; set changes them, an empty value leaves one out.
func (b *bench) post(body io.Reader, set map[string]string) (int, string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.server.URL, body)
	if err != nil {
		b.Fatal(err)
	}
	headers := map[string]string{"Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "guid"}
	for k, v := range set {
		headers[k] = v
	}
	for k, v := range headers {
		if v != "" {
			request.Header.Set(k, v)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (b *bench) signed(body []byte, set map[string]string) (int, string) {
	b.Helper()
	headers := map[string]string{"X-Hub-Signature-256": fakegithub.Signature(secret, body)}
	for k, v := range set {
		headers[k] = v
	}
	return b.post(bytes.NewReader(body), headers)
}

func (b *bench) deliveries() []preview.Delivery {
	b.Helper()
	d, err := b.store.Deliveries(b.Context(), 1000)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func recorded(t *testing.T, event, action string) []byte {
	t.Helper()
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payloads {
		if p.Event == event && p.Action == action {
			return p.Body
		}
	}
	t.Fatalf("no recorded %s.%s", event, action)
	return nil
}

// TestForged: whatever is wrong with a signature, the answer is 401 and the database stays empty (W1).
func TestForged(t *testing.T) {
	t.Parallel()
	body := recorded(t, "pull_request", "opened")
	good := fakegithub.Signature(secret, body)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", " "); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signature string
		body      []byte
	}{
		"missing":         {"", body},
		"empty digest":    {"sha256=", body},
		"short":           {good[:len(good)-2], body},
		"long":            {good + "00", body},
		"no prefix":       {strings.TrimPrefix(good, "sha256="), body},
		"sha1":            {"sha1=" + good[7:47], body},
		"not hex":         {"sha256=" + strings.Repeat("z", 64), body},
		"wrong secret":    {fakegithub.Signature("wrong", body), body},
		"empty secret":    {fakegithub.Signature("", body), body},
		"encoded again":   {good, pretty.Bytes()},
		"a byte more":     {good, append(bytes.Clone(body), ' ')},
		"a byte less":     {good, body[:len(body)-1]},
		"two in one line": {good + ", " + good, body},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			status, answer := b.post(bytes.NewReader(c.body), map[string]string{"X-Hub-Signature-256": c.signature, "X-Hub-Signature": "sha1=" + strings.Repeat("0", 40)})
			if status != http.StatusUnauthorized || len(b.deliveries()) != 0 {
				t.Errorf("%d %s, %d deliveries stored", status, answer, len(b.deliveries()))
			}
		})
	}
}

func TestBothSecretsOfARotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := recorded(t, "ping", "")
	for _, s := range []string{secret, previous} {
		if status, answer := b.post(bytes.NewReader(body), map[string]string{"X-Hub-Signature-256": fakegithub.Signature(s, body), "X-GitHub-Event": "ping"}); status != http.StatusOK {
			t.Errorf("signed with the %s: %d %s", s, status, answer)
		}
	}
}

func TestNoSecret(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][][]byte{nil, {}, {[]byte("")}, {[]byte("x"), nil}} {
		if _, err := webhook.New(webhook.Options{Secrets: secrets}); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("New with secrets %q: %v, want ErrInvalid", secrets, err)
		}
	}
}

// TestRefused: what GitHub never sends is refused before it is read or stored.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := recorded(t, "pull_request", "opened")
	huge := bytes.Repeat([]byte("x"), webhook.MaxBody+1)
	for name, c := range map[string]struct {
		body []byte
		set  map[string]string
		want int
	}{
		"form":     {body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		"no type":  {body, map[string]string{"Content-Type": ""}, http.StatusUnsupportedMediaType},
		"encoded":  {body, map[string]string{"Content-Encoding": "gzip"}, http.StatusUnsupportedMediaType},
		"too huge": {huge, nil, http.StatusRequestEntityTooLarge},
	} {
		if status, answer := b.signed(c.body, c.set); status != c.want {
			t.Errorf("%s: %d %s, want %d", name, status, answer, c.want)
		}
	}
	response, err := http.Get(b.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
	}
	if n := len(b.deliveries()); n != 0 {
		t.Errorf("%d deliveries stored", n)
	}
}

// TestRecordedPayloads: every body GitHub ever recorded is answered 200 and stored, whatever is in it.
func TestRecordedPayloads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range payloads {
		if status, answer := b.signed(p.Body, map[string]string{"X-GitHub-Event": p.Event, "X-GitHub-Delivery": fmt.Sprint(i)}); status != http.StatusOK {
			t.Errorf("%s: %d %s", p.Name, status, answer)
		}
	}
	stored := b.deliveries()
	if len(stored) != len(payloads) {
		t.Errorf("%d of %d stored", len(stored), len(payloads))
	}
	for _, d := range stored {
		if d.Outcome == preview.DeliveryIgnored && d.Reason == "" {
			t.Errorf("%s.%s is ignored without a reason", d.Event, d.Action)
		}
	}
	previews, err := b.store.Previews(t.Context(), 10)
	if err != nil || len(previews) != 1 || previews[0].Namespace != "pr-hello-world-2" {
		t.Errorf("previews %+v, %v; want the one of Codertocat/Hello-World#2", previews, err)
	}
}

// TestGarbage: an authentic body that makes no sense is kept with the reason and does not make GitHub try again.
func TestGarbage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{"", "{", "null", "[]", `"x"`, `{"pull_request":7}`, `{"action":"opened","number":1,"pull_request":{},"repository":null}`, strings.Repeat("[", 100_000)} {
		status, answer := b.signed([]byte(body), nil)
		if status != http.StatusOK || !strings.Contains(answer, `"ignored"`) || !strings.Contains(answer, `"reason"`) {
			t.Errorf("%.40q: %d %s", body, status, answer)
		}
	}
	previews, err := b.store.Previews(t.Context(), 10)
	if err != nil || len(previews) != 0 {
		t.Errorf("previews %v, %v", previews, err)
	}
}

// TestReplay: a captured delivery sent again under other headers, which are not signed, changes nothing (W2).
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := recorded(t, "pull_request", "opened")
	if status, answer := b.signed(body, nil); status != http.StatusOK || !strings.Contains(answer, "accepted") {
		t.Fatalf("%d %s", status, answer)
	}
	before, err := b.store.Previews(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	job, err := b.store.Claim(t.Context(), preview.JobReconcile, "test", 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		status, answer := b.signed(body, map[string]string{"X-GitHub-Delivery": fmt.Sprint("again ", i)})
		if status != http.StatusOK || !strings.Contains(answer, "duplicate") {
			t.Errorf("%d %s", status, answer)
		}
	}
	if generation, err := b.store.Renew(t.Context(), job.Fence(), 1<<40); err != nil || generation != job.Generation {
		t.Errorf("replays asked for the job again: generation %d after %d, %v", generation, job.Generation, err)
	}
	after, err := b.store.Previews(t.Context(), 10)
	if err != nil || len(after) != 1 || after[0] != before[0] {
		t.Errorf("before %+v\nafter %+v, %v", before, after, err)
	}
}

// down is a database that does not answer.
type down struct{}

func (down) Handle(context.Context, preview.Event) (preview.Preview, preview.Decision, error) {
	return preview.Preview{}, preview.Decision{}, errors.New("disk full")
}

// TestNotStored: 503, so that GitHub shows the delivery as failed, and delivering it again works (W3).
func TestNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := recorded(t, "pull_request", "opened")
	h, err := webhook.New(webhook.Options{Lifecycle: down{}, Secrets: [][]byte{[]byte(secret)}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	broken := &bench{t, b.store, httptest.NewServer(h)}
	t.Cleanup(broken.server.Close)
	if status, answer := broken.signed(body, nil); status != http.StatusServiceUnavailable || strings.Contains(answer, "disk") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := b.signed(body, nil); status != http.StatusOK || !strings.Contains(answer, "accepted") {
		t.Errorf("the same delivery again: %d %s", status, answer)
	}
}

// TestTakenName (W6): a delivery with a valid signature about the configured name and another repository leaves its reason, and nothing else.
func TestTakenName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := recorded(t, "pull_request", "opened")
	if bound, err := b.store.Bind(t.Context(), "codertocat/hello-world", 5); err != nil || bound != 5 {
		t.Fatalf("bound to %d, %v", bound, err)
	}
	if status, answer := b.signed(body, nil); status != http.StatusOK || !strings.Contains(answer, "ignored") {
		t.Errorf("%d %s", status, answer)
	}
	got := b.deliveries()
	if len(got) != 1 || !strings.Contains(got[0].Reason, "the name was that of repository 5 and is that of repository 186853002 now") {
		t.Errorf("deliveries %+v", got)
	}
	if list, err := b.store.Previews(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("previews %+v, %v", list, err)
	}
	if err := b.store.Rebind(t.Context(), "Codertocat/Hello-World", 186853002); err != nil {
		t.Fatal(err)
	}
	if status, answer := b.signed(append(body, ' '), nil); status != http.StatusOK || !strings.Contains(answer, "accepted") {
		t.Errorf("confirmed: %d %s", status, answer)
	}
}

// mutations are what can happen to a delivery on its way: each must be noticed.
func mutations(body []byte, at int) map[string]struct {
	body []byte
	set  map[string]string
} {
	type changed = struct {
		body []byte
		set  map[string]string
	}
	good := fakegithub.Signature(secret, body)
	sign := func(s string) map[string]string { return map[string]string{"X-Hub-Signature-256": s} }
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(body)) }
	digits := []byte(good)
	digit := len("sha256=") + at%64
	if digits[digit]++; digits[digit] == '9'+1 || digits[digit] == 'f'+1 {
		digits[digit] = '0'
	}
	at %= len(body)
	return map[string]changed{
		"a bit of the body":       {edit(func(b []byte) []byte { b[at] ^= 1; return b }), sign(good)},
		"a byte taken out":        {edit(func(b []byte) []byte { return slices.Delete(b, at, at+1) }), sign(good)},
		"a byte put in":           {edit(func(b []byte) []byte { return slices.Insert(b, at, ' ') }), sign(good)},
		"cut off":                 {body[:at], sign(good)},
		"twice":                   {append(bytes.Clone(body), body...), sign(good)},
		"a mark before it":        {append([]byte("\ufeff"), body...), sign(good)},
		"in UTF-16":               {edit(wide), sign(good)},
		"a digit of the digest":   {body, sign(string(digits))},
		"the digest of another":   {body, sign(fakegithub.Signature(secret, body[:at]))},
		"another secret's digest": {body, sign(fakegithub.Signature(secret+"x", body))},
		"no signature":            {body, nil},
		"the old header alone":    {body, map[string]string{"X-Hub-Signature": good}},
	}
}

// wide is the text in another encoding.
func wide(b []byte) []byte {
	var out []byte
	for _, c := range b {
		out = append(out, c, 0)
	}
	return out
}

// TestMutations (W1, W2): fifty recorded deliveries, each changed in every way that the network could change it. None is believed, none is
// stored; what is not signed at all may change, and changes nothing.
func TestMutations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	if len(payloads) < 50 {
		t.Fatalf("%d recorded deliveries, want 50", len(payloads))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range payloads[:50] {
		for what, c := range mutations(p.Body, random.IntN(len(p.Body))) {
			headers := map[string]string{"X-GitHub-Event": p.Event}
			maps.Copy(headers, c.set)
			if status, answer := b.post(bytes.NewReader(c.body), headers); status != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s, want 401", p.Name, what, status, answer)
			}
		}
		for what, set := range map[string]map[string]string{
			"a content encoding": {"Content-Encoding": "gzip"}, "another type": {"Content-Type": "text/plain"}, "a form": {"Content-Type": "application/x-www-form-urlencoded"},
		} {
			if status, answer := b.signed(p.Body, set); status != http.StatusUnsupportedMediaType {
				t.Errorf("%s, %s: %d %s, want 415", p.Name, what, status, answer)
			}
		}
	}
	if n := len(b.deliveries()); n != 0 {
		t.Errorf("%d deliveries stored", n)
	}
}

// TestReplayAfterClose (W2): twenty recorded deliveries about pull requests, each replayed fifty times under other ids and as other events after the
// pull request was closed and its preview removed, bring nothing back.
func TestReplayAfterClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for _, p := range payloads {
		if p.Event != "pull_request" || len(bodies) == 20 {
			continue
		}
		bodies = append(bodies, p.Body)
	}
	for range 2 { // what is ignored before there is a preview counts once there is one
		for _, body := range bodies {
			b.signed(body, nil)
		}
	}
	if len(bodies) < 20 {
		t.Fatalf("%d recorded deliveries about pull requests, want 20", len(bodies))
	}
	k := preview.Key{RepositoryID: 186853002, Number: 2}
	_, _, err = b.store.Apply(t.Context(), preview.Event{Kind: preview.EventObserved, Key: k}, func(s preview.State) (preview.Decision, error) {
		p := *s.Preview
		p.Open, p.Status, p.Settled = false, preview.StatusDeleted, p.Generation
		return preview.Decision{Preview: &p}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := b.store.PreviewOf(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	job, err := b.store.Claim(t.Context(), preview.JobReconcile, "test", 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	events := []string{"pull_request", "push", "issue_comment", "installation", "check_run"}
	for n, body := range bodies {
		for i := range 50 {
			status, answer := b.signed(body, map[string]string{"X-GitHub-Delivery": fmt.Sprint(n, " again ", i), "X-GitHub-Event": events[i%len(events)]})
			if status != http.StatusOK || strings.Contains(answer, "accepted") {
				t.Fatalf("body %d replayed as %s: %d %s", n, events[i%len(events)], status, answer)
			}
		}
	}
	after, err := b.store.Previews(t.Context(), 10)
	if err != nil || len(after) != 1 || after[0] != before {
		t.Errorf("before %+v\nafter %+v, %v", before, after, err)
	}
	if generation, err := b.store.Renew(t.Context(), job.Fence(), 1<<40); err != nil || generation != job.Generation {
		t.Errorf("the replays asked for the job again: generation %d after %d, %v", generation, job.Generation, err)
	}
}
