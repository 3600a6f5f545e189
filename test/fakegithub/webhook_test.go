package fakegithub_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/fakegithub"
	"github.com/google/go-cmp/cmp"
)

// The vector of GitHub's documentation.
func TestSignature(t *testing.T) {
	t.Parallel()
	want := "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if got := fakegithub.Signature(secret, []byte("Hello, World!")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Every event arrives in order, signed, and fits GitHub's webhook description (checked by Start).
func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	first := b.pull.HeadSHA()
	b.pull.Push(fakegithub.Text(map[string]string{"page.html": "<p>two</p>\n"}), "two")
	b.pull.ForcePush(first)
	b.pull.Label("preview")
	b.pull.Unlabel("preview")
	b.pull.SetDraft(true)
	b.pull.SetDraft(false)
	b.pull.SetTitle("A page")
	b.pull.SetBody("Why")
	b.repo.Commit("next", fakegithub.Text(map[string]string{"n": "n"}), "n")
	b.pull.SetBase("next")
	b.pull.SetBase("main")
	id := b.pull.Comment("one")
	b.pull.EditComment(id, "two")
	b.pull.DeleteComment(id)
	b.pull.Close(false)
	b.pull.Reopen()
	b.pull.Close(true)
	run := b.repo.StartRun("ci", "page", first)
	b.repo.FinishRun(run, "failure")
	b.repo.Rename("site")
	b.install.Suspend()
	b.install.Unsuspend()
	b.install.SetPermissions(map[string]string{"metadata": "read", "issues": "write"})
	api := b.acme.CreateRepo(fakegithub.RepoOptions{Name: "api"})
	b.install.Remove(api)
	b.install.Add(api)
	b.acme.Rename("acme-inc")
	other := b.CreateOrg("other")
	b.app.Install(other)
	b.repo.Transfer(other)
	b.install.Delete()
	b.repo.Delete()
	b.settle()
	want := strings.Fields(`ping installation.created push pull_request.opened push pull_request.synchronize push
		pull_request.synchronize pull_request.labeled pull_request.unlabeled pull_request.converted_to_draft
		pull_request.ready_for_review pull_request.edited pull_request.edited push pull_request.edited pull_request.edited
		issue_comment.created issue_comment.edited issue_comment.deleted pull_request.closed pull_request.reopened
		pull_request.closed push workflow_run.in_progress workflow_run.completed repository.renamed installation.suspend
		installation.unsuspend installation.new_permissions_accepted installation_repositories.removed
		installation_repositories.added installation_target.renamed installation.created repository.transferred installation.deleted`)
	if diff := cmp.Diff(want, b.received.names()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for i, m := range b.received.messages() {
		if got := m.header.Get("X-Hub-Signature-256"); got != fakegithub.Signature(secret, m.body) {
			t.Errorf("%d %s: signature %s", i, m.name(), got)
		}
		for _, name := range []string{"X-GitHub-Delivery", "X-GitHub-Hook-ID", "X-GitHub-Hook-Installation-Target-ID"} {
			if m.header.Get(name) == "" {
				t.Errorf("%d %s: no %s", i, m.name(), name)
			}
		}
		if agent := m.header.Get("User-Agent"); !strings.HasPrefix(agent, "GitHub-Hookshot/") {
			t.Errorf("%d %s: User-Agent %s", i, m.name(), agent)
		}
	}
	var push struct{ Forced bool }
	if err := json.Unmarshal(b.received.messages()[6].body, &push); err != nil || !push.Forced {
		t.Errorf("the push to an older commit is not said to be forced (%v)", err)
	}
}

// An App that comments hears of its own comment, and can tell.
func TestEcho(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, _, body := b.ask(b.token, "POST", "/repos/acme/web/issues/1/comments", map[string]any{"body": "hello"})
	if status != 201 {
		t.Fatalf("status %d: %s", status, body)
	}
	b.settle()
	messages := b.received.messages()
	var v struct {
		Action string
		Sender struct{ Login, Type string }
	}
	if err := json.Unmarshal(messages[len(messages)-1].body, &v); err != nil {
		t.Fatal(err)
	}
	if v.Action != "created" || v.Sender.Login != "catalyst[bot]" || v.Sender.Type != "Bot" {
		t.Errorf("the last event is %+v, want the bot's own comment", v)
	}
}

func TestNotSubscribed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := newInbox(t)
	quiet := b.CreateApp(fakegithub.AppOptions{Slug: "quiet", Events: []string{}, WebhookURL: in.url})
	quiet.Install(b.acme)
	b.pull.Label("x")
	b.settle()
	if diff := cmp.Diff([]string{"ping", "installation.created"}, in.names()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if m := in.messages()[0]; m.header.Get("X-Hub-Signature-256") != "" {
		t.Error("a hook without a secret signs")
	}
}

func TestRedelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	b.received.answer(http.StatusServiceUnavailable)
	b.pull.Label("preview")
	b.settle()
	b.received.answer(http.StatusOK)
	type item struct {
		ID          int64
		GUID, Event string
		StatusCode  int `json:"status_code"`
		Status      string
		Redelivery  bool
	}
	list := func(path string) ([]item, http.Header) {
		t.Helper()
		status, header, body := b.ask(b.jwt, "GET", path, nil)
		var v []item
		if err := json.Unmarshal(body, &v); err != nil || status != 200 {
			t.Fatalf("GET %s: %d %s", path, status, body)
		}
		return v, header
	}
	failed, _ := list("/app/hook/deliveries?status=failure")
	if len(failed) != 1 || failed[0].StatusCode != 503 || failed[0].Status != "Invalid HTTP Response: 503" {
		t.Fatalf("failed deliveries: %+v", failed)
	}
	if status, _, body := b.ask(b.jwt, "POST", fmt.Sprintf("/app/hook/deliveries/%d/attempts", failed[0].ID), nil); status != 202 {
		t.Fatalf("redeliver: %d %s", status, body)
	}
	b.settle()
	all, _ := list("/app/hook/deliveries")
	if all[0].GUID != failed[0].GUID || all[0].ID == failed[0].ID || !all[0].Redelivery || all[0].StatusCode != 200 {
		t.Errorf("the redelivery is %+v, want the GUID of %+v", all[0], failed[0])
	}
	messages := b.received.messages()
	if one, two := messages[len(messages)-2], messages[len(messages)-1]; string(one.body) != string(two.body) ||
		one.header.Get("X-GitHub-Delivery") != two.header.Get("X-GitHub-Delivery") {
		t.Error("the redelivery differs from the delivery")
	}
	// The pages of the list, by cursor, hold each delivery once.
	var ids []int64
	for path := "/app/hook/deliveries?per_page=2"; path != ""; {
		part, header := list(path)
		for _, v := range part {
			ids = append(ids, v.ID)
		}
		link := header.Get("Link")
		if path = ""; link != "" {
			path = link[1:strings.Index(link, ">")]
		}
	}
	if len(ids) != len(all) || len(slices.Compact(ids)) != len(all) {
		t.Errorf("by cursor %d deliveries, want %d", len(ids), len(all))
	}
}

// GitHub does not redeliver by itself: a failed delivery is tried once.
func TestNoRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	b.received.answer(http.StatusInternalServerError)
	before := len(b.received.messages())
	b.pull.Label("preview")
	b.pull.Label("other")
	b.settle()
	if got := len(b.received.messages()) - before; got != 2 {
		t.Errorf("two failing deliveries were tried %d times, want twice", got)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	before := len(b.received.messages())
	b.HoldDeliveries()
	b.pull.Label("a")
	b.pull.Close(false)
	b.pull.Reopen()
	held := b.Held()
	if len(held) != 3 {
		t.Fatalf("held %d deliveries, want 3", len(held))
	}
	b.Drop(held[0].ID)
	b.Release(held[2].ID, held[1].ID, held[1].ID)
	b.settle()
	want := []string{"pull_request.reopened", "pull_request.closed", "pull_request.closed"}
	if diff := cmp.Diff(want, b.received.names()[before:]); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
	b.Redeliver(held[0].ID)
	b.ResumeDeliveries()
	b.settle()
	if names := b.received.names(); names[len(names)-1] != "pull_request.labeled" {
		t.Errorf("the dropped delivery was not redelivered: %v", names[before:])
	}
}

func TestDeliveryFailures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	b.app.SetWebhook("http://127.0.0.1:1/hook", secret)
	b.pull.Label("a")
	b.settle()
	all := b.Deliveries()
	if last := all[len(all)-1]; last.Code != 502 || last.Status != "failed to connect to host" {
		t.Errorf("to a closed port: %+v", last)
	}
}

// A form is what a hook sends unless told otherwise; the signature is over the form.
func TestForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settle()
	b.app.SetFormContentType(true)
	b.pull.Label("a")
	b.settle()
	messages := b.received.messages()
	last := messages[len(messages)-1]
	if last.header.Get("Content-Type") != "application/x-www-form-urlencoded" || !strings.HasPrefix(string(last.body), "payload=%7B") {
		t.Errorf("got %s: %.40s", last.header.Get("Content-Type"), last.body)
	}
	if last.header.Get("X-Hub-Signature-256") != fakegithub.Signature(secret, last.body) {
		t.Error("the signature is not over the form")
	}
}
