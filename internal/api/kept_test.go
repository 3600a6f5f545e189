package api_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/kept"
)

// TestKept: what was kept of a preview can be listed and read, by who may see it, and nothing beside it.
func TestKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	dora := b.as("dora")
	if list, err := dora.Kept(t.Context(), ref); err != nil || len(list.Entries) != 0 {
		t.Fatalf("before anything was kept: %+v, %v", list, err)
	}
	p := b.stored(ref)
	err := b.kept.Keep(kept.Entry{PreviewID: p.ID, DeploymentID: "d1", Reason: kept.Failed, Ref: p.Ref(), SHA: p.HeadSHA}, []kept.File{{Name: "web-1.web.log", Text: "\x1b[31mcannot reach the database\x1b[0m\n"}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := dora.Kept(t.Context(), ref)
	if err != nil || len(list.Entries) != 1 || len(list.Entries[0].Files) != 1 || list.Entries[0].Reason != "failed" || list.Entries[0].Commit != p.HeadSHA {
		t.Fatalf("%+v, %v", list, err)
	}
	var text bytes.Buffer
	if err := dora.KeptFile(t.Context(), ref, list.Entries[0], "web-1.web.log", &text); err != nil || text.String() != "cannot reach the database\n" {
		t.Errorf("%q, %v", text.String(), err)
	}
	for _, name := range []string{"_entry.json", "../d1.failed/web-1.web.log", "none"} {
		b.status(dora.KeptFile(t.Context(), ref, list.Entries[0], name, &text), http.StatusNotFound, name)
	}
	b.status(b.as("mallory").KeptFile(t.Context(), ref, list.Entries[0], "web-1.web.log", &text), http.StatusNotFound, "somebody who may not see the repository")
}

// TestResources: the figures come as they were counted, for the time that is asked for.
func TestResources(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	dora := b.as("dora")
	for day, want := range map[bool]int64{false: 1 << 20, true: 24 << 20} {
		r, err := dora.Resources(t.Context(), ref, day)
		if err != nil || len(r.Total) != 1 || r.Total[0].Amount != (client.Amount{CPU: 5, Memory: want}) || r.Pods[0].Restarts != 2 || r.Quota[0].Part != 0.5 || !strings.Contains(r.Marks[0].Text, "deployed") {
			t.Errorf("%v: %+v, %v", day, r, err)
		}
	}
}

// TestStreamOfNothing: following a preview in which nothing runs, or whose namespace has just gone, is told to who asks and is nothing to log.
func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.open()
	dora := b.as("dora")
	before := b.said.String()
	err := dora.FollowLogs(t.Context(), ref, client.LogOptions{}, func([]client.Line) error { return nil })
	b.status(err, http.StatusNotFound, "before there is a namespace")
	b.runs(ref)
	b.pods.mu.Lock()
	b.pods.gone = true
	b.pods.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_ = dora.FollowLogs(ctx, ref, client.LogOptions{}, func([]client.Line) error { return nil }) // tried again until ctx ends
	if after := strings.TrimPrefix(b.said.String(), before); strings.Contains(after, "stream of logs") {
		t.Errorf("logged: %s", after)
	}
}
