package api_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the description of the API anew")

// TestSee: who may see the repository on GitHub sees its previews, and nobody else learns that there are any.
func TestSee(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		b := setup(t, func(b *bundle) { b.store = storetest.Open(t, dsn) })
		ref := b.open()
		b.runs(ref)
		ctx := t.Context()
		reader := b.as("rita", "read")
		p, err := reader.Preview(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		if p.Status != "running" || p.URL != "https://web-1.preview.test" || p.LiveCommit != p.Commit || p.Title != "Add gift cards" {
			t.Errorf("%+v", p)
		}
		list, err := reader.Previews(ctx, client.Filter{Status: "current", Repository: "ACME/web", Author: "Dora", Text: "GIFT"})
		if err != nil || len(list.Previews) != 1 {
			t.Errorf("list: %+v, %v", list, err)
		}
		if list, err = reader.Previews(ctx, client.Filter{Text: "100%"}); err != nil || len(list.Previews) != 0 {
			t.Errorf("a list of nothing: %+v, %v", list, err)
		}
		timeline, err := reader.Timeline(ctx, ref)
		if err != nil || len(timeline.Deployments) != 1 || len(timeline.Deployments[0].Steps) != 1 || timeline.Deployments[0].Steps[0].TookMS != 1000 {
			t.Fatalf("timeline: %+v, %v", timeline, err)
		}
		if d, err := reader.Deployment(ctx, timeline.Deployments[0].ID); err != nil || d.Status != "succeeded" {
			t.Errorf("deployment: %+v, %v", d, err)
		}
		if events, err := reader.Events(ctx, ref); err != nil || len(events.Events) != 1 || events.Events[0].Count != 14 {
			t.Errorf("events: %+v, %v", events, err)
		}

		stranger := b.as("mallory")
		if list, err := stranger.Previews(ctx, client.Filter{}); err != nil || len(list.Previews) != 0 {
			t.Errorf("a stranger's list: %+v, %v", list, err)
		}
		_, err = stranger.Preview(ctx, ref)
		_, none := stranger.Preview(ctx, client.Ref{Repository: "acme/web", Number: 999})
		b.status(err, http.StatusNotFound, "a stranger")
		if d := cmp.Diff(none.Error(), err.Error()); d != "" {
			t.Errorf("a stranger is told a preview that is from one that is not (-is not +is):\n%s", d)
		}
		_, err = stranger.Deployment(ctx, timeline.Deployments[0].ID)
		b.status(err, http.StatusNotFound, "a stranger and a deployment")
	})
}

// TestEveryRouteIsShut: on each route but the open ones, nobody gets anything without saying who they are, and a stranger nothing of a preview.
func TestEveryRouteIsShut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	stranger := b.signIn("mallory")
	for _, pattern := range b.mux.Patterns() {
		rule, known := access.RuleOf(pattern)
		if !known {
			t.Errorf("%s has no rule", pattern)
		}
		if rule.Do == access.Open {
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{owner}", "acme", "{repo}", "web", "{number}", "1", "{id}", "1", "{deployment}", "1").Replace(path)
		for who, browser := range map[string]*http.Client{"nobody": {}, "a stranger": stranger} {
			request, _ := http.NewRequestWithContext(t.Context(), method, b.server.URL+path, strings.NewReader("{}"))
			request.Header.Set("Content-Type", "application/json")
			response, err := browser.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			switch {
			case who == "nobody" && response.StatusCode != http.StatusUnauthorized:
				t.Errorf("%s %s answers %s to nobody", method, path, response.Status)
			case who == "a stranger" && strings.Contains(pattern, "{owner}") && response.StatusCode != http.StatusNotFound:
				t.Errorf("%s %s answers %s to a stranger", method, path, response.Status)
			case who == "a stranger" && (rule.Do == access.Operate || rule.Do == access.Replay) && response.StatusCode != http.StatusForbidden:
				t.Errorf("%s %s answers %s to who operates nothing", method, path, response.Status)
			}
		}
	}
	if c, err := b.store.CommandsOf(t.Context(), b.stored(ref).ID, 10); err != nil || len(c) != 0 {
		t.Errorf("commands came of it: %+v, %v", c, err)
	}
}

// TestAct: who may write acts, in words that a comment could have; each is recorded, those that were refused too.
func TestAct(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	ctx := t.Context()
	writer, reader, operator := b.as("dora"), b.as("rita"), b.with(operatorToken)
	c, err := writer.Redeploy(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if c.Verb != "redeploy" || c.By != "dora" || c.Outcome != "waiting" {
		t.Errorf("%+v", c)
	}
	stored, err := b.store.Commands(ctx, b.stored(ref).ID)
	if err != nil || len(stored) != 1 || stored[0].Origin != preview.OriginPerson || stored[0].AuthorID != b.github.Account("dora").ID() {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if again, err := writer.Command(ctx, ref, c.ID); err != nil || again.ID != c.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := writer.Approve(ctx, ref, client.Approval{Commit: "abc"}); !client.IsStatus(err, http.StatusUnprocessableEntity) {
		t.Errorf("a short commit: %v", err)
	}
	_, err = reader.Delete(ctx, ref)
	b.status(err, http.StatusForbidden, "a reader deletes")
	readOnly := b.as("dora", "read")
	_, err = readOnly.Retry(ctx, ref)
	b.status(err, http.StatusForbidden, "a token to read retries")
	if c, err = operator.Delete(ctx, ref); err != nil || c.Verb != "destroy" {
		t.Errorf("an operator deletes: %+v, %v", c, err)
	}
	b.web.RemoveCollaborator(b.github.Account("dora"))
	_, err = writer.Redeploy(ctx, ref)
	if err == nil {
		t.Error("who may not write any more still acts")
	}

	record, err := operator.Audit(ctx, ref.String(), 50, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range record.Audit {
		got = append(got, a.Actor+" "+a.Action+" "+a.Outcome)
	}
	want := []string{"dora redeploy refused", "operator delete allowed", "dora redeploy refused", "rita delete refused", "dora approve allowed", "dora redeploy allowed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the record (-want +got):\n%s", d)
	}
}

// TestTokens: a token is nobody else's, limited by its scopes, kept as a hash, and ends.
func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	session, _ := client.New(b.server.URL, "", b.signIn("dora"))
	token, err := session.NewToken(ctx, client.NewToken{Label: "ci", Scopes: []string{"read"}, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := b.store.Tokens(ctx); err != nil || len(kept) != 1 || strings.Contains(kept[0].Hash, token.Secret) || kept[0].ExpiresAt.IsZero() {
		t.Errorf("kept %+v, %v", kept, err)
	}
	_, err = session.NewToken(ctx, client.NewToken{Label: "more", Scopes: []string{"operate"}})
	b.status(err, http.StatusForbidden, "who operates nothing makes a token that does")
	_, err = b.with(token.Secret).NewToken(ctx, client.NewToken{Label: "child", Scopes: []string{"read"}})
	b.status(err, http.StatusForbidden, "a token makes a token")
	me, err := b.with(token.Secret).Me(ctx)
	if err != nil || me.Login != "dora" || me.Operator || me.Via != "token" {
		t.Errorf("me: %+v, %v", me, err)
	}
	other, _ := client.New(b.server.URL, "", b.signIn("rita"))
	b.status(other.EndToken(ctx, token.ID), http.StatusNotFound, "somebody else ends it")
	if err := session.EndToken(ctx, token.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.with(token.Secret).Me(ctx)
	b.status(err, http.StatusUnauthorized, "a token that ended")
	if olga, err := b.as("olga", "read", "operate").Doctor(ctx); err != nil || olga.Worst != "ok" {
		t.Errorf("an operator by the list: %+v, %v", olga, err)
	}
}

// TestDeliveries: what was ignored says why, and can be looked at again.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	ctx := t.Context()
	operator := b.with(operatorToken)
	var ignored client.Deliveries
	b.until("a delivery was ignored", func() bool {
		var err error
		ignored, err = operator.Deliveries(ctx, "", "ignored", 50, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(ignored.Deliveries) > 0
	})
	if ignored.Deliveries[0].Reason == "" {
		t.Errorf("no reason: %+v", ignored.Deliveries[0])
	}
	accepted, err := operator.Deliveries(ctx, "acme/web", "accepted", 1, "")
	if err != nil || len(accepted.Deliveries) != 1 {
		t.Fatalf("%+v, %v", accepted, err)
	}
	job, err := b.store.Claim(ctx, preview.JobReconcile, "test", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Finish(ctx, job.Fence(), job.Generation); err != nil {
		t.Fatal(err)
	}
	replayed, err := operator.Replay(ctx, accepted.Deliveries[0].ID)
	if err != nil || replayed.Outcome != "accepted" {
		t.Errorf("replayed: %+v, %v", replayed, err)
	}
	if _, err := b.store.Claim(ctx, preview.JobReconcile, "test", time.Minute); err != nil {
		t.Errorf("nothing came of the replay on %s: %v", ref, err)
	}
	_, err = b.as("dora").Deliveries(ctx, "", "", 50, "")
	b.status(err, http.StatusForbidden, "who operates nothing")
}

// TestLogs: pages from the end, a download and a stream, all without the secret.
func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	ctx := t.Context()
	reader := b.as("rita", "read")
	if page, err := reader.Logs(ctx, ref, client.LogOptions{}); err != nil || page.Note == "" {
		t.Errorf("before there is a namespace: %+v, %v", page, err)
	}
	b.runs(ref)
	start := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	b.pods.secret = "hunter2hunter2"
	b.pods.list = []cluster.Container{{Pod: "web-1", Name: "web", State: "running", StartedAt: start}, {Pod: "web-2", Name: "web", State: "running", StartedAt: start}}
	for i := range 10 {
		for _, pod := range []string{"web-1", "web-2"} {
			at := start.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano)
			b.pods.logs[pod+"/web"] += at + " [ERROR] line with hunter2hunter2\n"
		}
	}
	page, err := reader.Logs(ctx, ref, client.LogOptions{Tail: 15})
	if err != nil || len(page.Lines) != 15 || page.Previous == "" {
		t.Fatalf("%d lines, more %q, %v", len(page.Lines), page.Previous, err)
	}
	first, err := reader.Logs(ctx, ref, client.LogOptions{Tail: 15, Cursor: page.Previous})
	if err != nil || len(first.Lines) != 5 || first.Previous != "" {
		t.Errorf("the page before has %d lines, more %q, %v", len(first.Lines), first.Previous, err)
	}
	if l := page.Lines[0]; l.Level != "error" || strings.Contains(l.Text, "hunter2") {
		t.Errorf("%+v", l)
	}
	if some, err := reader.Logs(ctx, ref, client.LogOptions{Pod: "web-2", Grep: "LINE"}); err != nil || len(some.Lines) != 10 {
		t.Errorf("of one pod: %d lines, %v", len(some.Lines), err)
	}
	body, err := reader.DownloadLogs(ctx, ref, client.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(body)
	_ = body.Close()
	if n := strings.Count(string(text), "\n"); n != 20 || strings.Contains(string(text), "hunter2") {
		t.Errorf("downloaded %d lines:\n%s", n, text)
	}
	var streamed []client.Line
	enough := errors.New("enough")
	err = reader.FollowLogs(ctx, ref, client.LogOptions{Tail: 4}, func(l []client.Line) error {
		streamed = append(streamed, l...)
		return enough
	})
	if !errors.Is(err, enough) || len(streamed) != 4 {
		t.Errorf("streamed %d lines, %v", len(streamed), err)
	}
	_, err = reader.Logs(ctx, ref, client.LogOptions{Cursor: "nonsense"})
	b.status(err, http.StatusUnprocessableEntity, "a cursor of elsewhere")
}

// TestStreamEnds: who may not see the repository any more does not see its stream either.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle) { b.renew = 20 * time.Millisecond })
	ref := b.open()
	b.runs(ref)
	browser := b.signIn("rita")
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/api/v1/previews/acme/web/1/logs/stream", nil)
	response, err := browser.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	defer response.Body.Close()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if out, err := browser.Post(b.server.URL+"/logout", "", nil); err != nil || out.StatusCode != http.StatusSeeOther {
		t.Fatalf("%v, %v", out, err)
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, response.Body); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the stream goes on after the sign-out")
	}
}

// TestHTTP: ETags, problems, and what a page of another site may have a browser do.
func TestHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	browser := b.signIn("dora")
	do := func(method, path string, header ...string) *http.Response {
		t.Helper()
		request, _ := http.NewRequestWithContext(context.Background(), method, b.server.URL+path, nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response
	}
	first := do("GET", "/api/v1/previews/acme/web/1")
	if tag := first.Header.Get("ETag"); tag == "" || do("GET", "/api/v1/previews/acme/web/1", "If-None-Match", tag).StatusCode != http.StatusNotModified {
		t.Errorf("the same answer is sent twice (%q)", tag)
	}
	if r := do("GET", "/api/v1/previews?limit=0"); r.StatusCode != http.StatusUnprocessableEntity || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a wrong limit: %s, %s", r.Status, r.Header.Get("Content-Type"))
	}
	for name, header := range map[string][2]string{"origin": {"Origin", "https://evil.example"}, "fetch metadata": {"Sec-Fetch-Site", "cross-site"}} {
		if r := do("POST", "/api/v1/previews/acme/web/1/redeploy", header[0], header[1]); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: another site's page acts: %s", name, r.Status)
		}
	}
	if c, err := b.store.CommandsOf(t.Context(), b.stored(ref).ID, 10); err != nil || len(c) != 0 {
		t.Errorf("commands came of it: %+v, %v", c, err)
	}
}

// TestDescription: what is served is what is checked in.
func TestDescription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response, err := http.Get(b.server.URL + "/api/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/openapi.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("not as %s, see -update (-want +got):\n%s", golden, d)
	}
}
