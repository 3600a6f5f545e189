package fakegithub_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"github.com/golang-jwt/jwt/v5"
)

// clock is a clock that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func TestJWT(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, issuer any, issued, expires time.Duration) string {
		text, err := jwt.NewWithClaims(method, jwt.MapClaims{"iss": issuer, "iat": now.Add(issued).Unix(), "exp": now.Add(expires).Unix()}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	id := fmt.Sprint(b.app.ID())
	for _, test := range []struct {
		name, token string
		status      int
	}{
		{"good", sign(jwt.SigningMethodRS256, b.app.Key(), id, -time.Minute, 9*time.Minute), 200},
		{"number as issuer", sign(jwt.SigningMethodRS256, b.app.Key(), b.app.ID(), -time.Minute, 9*time.Minute), 200},
		{"issued ahead of GitHub's clock", sign(jwt.SigningMethodRS256, b.app.Key(), id, time.Minute, 9*time.Minute), 401},
		{"ended", sign(jwt.SigningMethodRS256, b.app.Key(), id, -11*time.Minute, -time.Minute), 401},
		{"too long", sign(jwt.SigningMethodRS256, b.app.Key(), id, -time.Minute, 11*time.Minute), 401},
		{"another key", sign(jwt.SigningMethodRS256, stranger, id, -time.Minute, 9*time.Minute), 401},
		{"another algorithm", sign(jwt.SigningMethodRS512, b.app.Key(), id, -time.Minute, 9*time.Minute), 401},
		{"no such App", sign(jwt.SigningMethodRS256, b.app.Key(), "7", -time.Minute, 9*time.Minute), 404},
		{"an installation token", b.token, 401},
		{"nothing", "", 401},
	} {
		if status, _, body := b.ask(test.token, "GET", "/app", nil); status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, status, test.status, body)
		}
	}
	if status, _, _ := b.ask(b.jwt, "GET", "/repos/acme/web", nil); status != 401 {
		t.Errorf("an App's own token reads a repository: %d", status)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setupWith(t, fakegithub.Options{Now: c.now})
	private := b.acme.CreateRepo(fakegithub.RepoOptions{Name: "secret", Private: true})
	if !strings.HasPrefix(b.token, fmt.Sprintf("ghs_%d_", b.app.ID())) || len(b.token) < 400 {
		t.Errorf("the token %.20s… of %d characters is not in the long form", b.token, len(b.token))
	}
	public := b.installationToken(map[string]any{"repository_ids": []int64{b.repo.ID()}})
	reader := b.installationToken(map[string]any{"permissions": map[string]string{"issues": "read", "contents": "read"}})
	comment := map[string]any{"body": "x"}
	for _, test := range []struct {
		name, token, method, path string
		body                      any
		status                    int
	}{
		{"all repositories", b.token, "GET", "/repos/acme/secret", nil, 200},
		{"narrowed to another repository", public, "GET", "/repos/acme/secret", nil, 404},
		{"narrowed to this repository", public, "POST", "/repos/acme/web/issues/1/comments", comment, 201},
		{"read only writes", reader, "POST", "/repos/acme/web/issues/1/comments", comment, 403},
		{"read only reads", reader, "GET", "/repos/acme/secret/contents/README.md", nil, 200},
		{"without the permission", reader, "GET", "/repos/acme/secret/deployments", nil, 403},
		{"nobody reads a public repository", "", "GET", "/repos/acme/web", nil, 200},
		{"nobody reads a private repository", "", "GET", "/repos/acme/secret", nil, 404},
		{"nobody writes", "", "POST", "/repos/acme/web/issues/1/comments", comment, 401},
		{"a forged token", "ghs_forged", "GET", "/repos/acme/web", nil, 401},
		{"a person with write access", b.alice.Token(), "POST", "/repos/acme/web/statuses/" + b.pull.HeadSHA(), map[string]any{"state": "success"}, 201},
		{"a stranger", b.CreateUser("mallory").Token(), "POST", "/repos/acme/web/statuses/" + b.pull.HeadSHA(), map[string]any{"state": "success"}, 403},
	} {
		if status, _, body := b.ask(test.token, test.method, test.path, test.body); status != test.status {
			t.Errorf("%s: status %d, want %d: %.200s", test.name, status, test.status, body)
		}
	}
	path := fmt.Sprintf("/app/installations/%d/access_tokens", b.install.ID())
	for _, wide := range []map[string]any{
		{"permissions": map[string]string{"administration": "write"}},
		{"permissions": map[string]string{"contents": "write"}},
		{"repository_ids": []int64{1}},
	} {
		if status, _, body := b.ask(b.jwt, "POST", path, wide); status != 422 {
			t.Errorf("a token wider than the installation, %v: %d %s", wide, status, body)
		}
	}
	b.install.Remove(private)
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/secret", nil); status != 404 {
		t.Errorf("a repository taken from the installation: %d", status)
	}
	b.install.Suspend()
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web", nil); status != 403 {
		t.Errorf("a suspended installation: %d", status)
	}
	b.install.Unsuspend()
	c.advance(59 * time.Minute)
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web", nil); status != 200 {
		t.Errorf("after 59 minutes: %d", status)
	}
	c.advance(2 * time.Minute)
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web", nil); status != 401 {
		t.Errorf("after 61 minutes: %d", status)
	}
	b.install.Delete()
	b.jwt = b.sign(c.now().Add(-time.Minute), c.now().Add(time.Minute))
	if status, _, _ := b.ask(b.jwt, "POST", path, nil); status != 404 {
		t.Errorf("a token of a deleted installation: %d", status)
	}
}

func TestPermission(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.CreateUser("bob")
	carol := b.CreateUser("carol")
	b.repo.AddCollaborator(carol, "maintain")
	for login, want := range map[string]string{"alice": "write write", "bob": "read read", "carol": "write maintain"} {
		level, _, err := b.client(b.token).Repositories.GetPermissionLevel(t.Context(), "acme", "web", login)
		if err != nil {
			t.Fatal(err)
		}
		if got := level.GetPermission() + " " + level.GetRoleName(); got != want {
			t.Errorf("%s: %s, want %s", login, got, want)
		}
	}
	if _, _, err := b.client(b.token).Repositories.GetPermissionLevel(t.Context(), "acme", "web", "nobody"); err == nil {
		t.Error("the permission of nobody is known")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setupWith(t, fakegithub.Options{Now: c.now, RateLimit: 3})
	for i := range 4 {
		status, header, _ := b.ask(b.token, "GET", "/repos/acme/web", nil)
		if want := map[bool]int{true: 200, false: 403}[i < 3]; status != want {
			t.Errorf("request %d: status %d, want %d", i, status, want)
		}
		if got, want := header.Get("X-RateLimit-Remaining"), fmt.Sprint(max(0, 2-i)); got != want {
			t.Errorf("request %d: remaining %s, want %s", i, got, want)
		}
	}
	c.advance(time.Hour)
	token := b.token
	b.jwt = b.sign(c.now().Add(-time.Minute), c.now().Add(time.Minute))
	if b.token = b.installationToken(nil); b.token == token {
		t.Error("the new token is the old one")
	}
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web", nil); status != 200 {
		t.Errorf("in the next hour: %d", status)
	}
}

// What has not changed costs nothing, for the same address and token only.
func TestNotModified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ask(b.token, "GET", "/repos/acme/web/pulls/1", nil) // from now on the test merge is known
	_, first, _ := b.ask(b.token, "GET", "/repos/acme/web/pulls/1", nil)
	tag := first.Get("ETag")
	status, header, body := b.ask(b.token, "GET", "/repos/acme/web/pulls/1", nil, "If-None-Match", tag)
	if status != 304 || len(body) > 0 || header.Get("X-RateLimit-Used") != first.Get("X-RateLimit-Used") {
		t.Errorf("the same again: %d, %d bytes, used %s after %s", status, len(body), header.Get("X-RateLimit-Used"), first.Get("X-RateLimit-Used"))
	}
	if status, _, _ := b.ask(b.installationToken(nil), "GET", "/repos/acme/web/pulls/1", nil, "If-None-Match", tag); status != 200 {
		t.Errorf("with another token: %d", status)
	}
	b.pull.Label("x")
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web/pulls/1", nil, "If-None-Match", tag); status != 200 {
		t.Errorf("after a change: %d", status)
	}
}
