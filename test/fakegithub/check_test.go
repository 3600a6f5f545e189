package fakegithub

import (
	"strings"
	"testing"
)

// A payload that GitHub would not send, and an event the description does not hold, are violations.
func TestWebhookCheckBites(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	app := s.CreateApp(AppOptions{})
	acme := s.CreateOrg("acme")
	repo := acme.CreateRepo(RepoOptions{Name: "web"})
	app.Install(acme)
	s.mu.Lock()
	s.emit(repo, "pull_request", "opened", object{"number": "seven"}, acme)
	s.emitTo(app, repo, "star", "created", object{}, acme)
	s.mu.Unlock()
	got := s.TakeViolations()
	if len(got) != 2 || !strings.Contains(got[0].Detail, "/number") || !strings.Contains(got[1].Detail, "not in the trimmed description") {
		t.Errorf("violations: %v", got)
	}
}
