package fakegithub

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// App is a GitHub App.
type App struct {
	s           *Server
	id          int64
	slug, name  string
	owner, bot  *Account
	key         *rsa.PrivateKey
	permissions map[string]string
	events      []string
	hook        *hook
	created     time.Time
}

// AppOptions describe an App.
type AppOptions struct {
	Slug          string            // "catalyst" when empty
	Owner         *Account          // an organization of the App's own when nil
	Key           *rsa.PrivateKey   // made when nil
	Permissions   map[string]string // what a preview service needs when nil
	Events        []string          // what a preview service needs when nil
	WebhookURL    string            // no deliveries when empty
	WebhookSecret string
}

// Making a key costs a tenth of a second, so the first App of every server of a process shares one.
var firstKey = sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system has no randomness
	}
	return key
}

// CreateApp registers an App and sends its webhook the ping that GitHub sends.
func (s *Server) CreateApp(options AppOptions) *App {
	key := options.Key
	if key == nil {
		s.mu.Lock()
		first := len(s.apps) == 0
		s.mu.Unlock()
		if key = firstKey(); !first {
			key = newKey()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slug := cmp.Or(options.Slug, "catalyst")
	owner := options.Owner
	if owner == nil {
		owner = s.addAccount(slug+"-makers", "Organization")
	}
	a := &App{
		s: s, id: 1_000_001 + int64(len(s.apps)), slug: slug, name: slug, owner: owner, key: key, created: s.now(),
		bot: s.addAccount(slug+"[bot]", "Bot"), permissions: options.Permissions, events: options.Events,
	}
	a.bot.app = a
	if a.permissions == nil {
		a.permissions = map[string]string{"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write",
			"checks": "write", "statuses": "write", "deployments": "write", "actions": "read"}
	}
	if a.events == nil {
		a.events = []string{"pull_request", "pull_request_review", "push", "issue_comment", "repository", "check_run", "workflow_run"}
	}
	s.apps = append(s.apps, a)
	a.hook = &hook{id: s.id(), app: a, url: options.WebhookURL, secret: options.WebhookSecret}
	s.ping(a.hook)
	return a
}

// ID returns the App's number.
func (a *App) ID() int64 { return a.id }

// Slug returns the App's name in addresses.
func (a *App) Slug() string { return a.slug }

// Bot returns the account that comments in the App's name.
func (a *App) Bot() *Account { return a.bot }

// Key returns the App's private key.
func (a *App) Key() *rsa.PrivateKey { return a.key }

// KeyPEM returns the App's private key as GitHub gives it for download.
func (a *App) KeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
}

// SetWebhook changes where the App's deliveries go and the secret that signs them.
func (a *App) SetWebhook(url, secret string) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.hook.url, a.hook.secret = url, secret
}

// Ping sends the App's webhook a ping.
func (a *App) Ping() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.s.ping(a.hook)
}

// Installation is an App on an account.
type Installation struct {
	s           *Server
	id          int64
	app         *App
	account     *Account
	all         bool
	repos       map[int64]bool // when not all
	permissions map[string]string
	created     time.Time
	updated     time.Time
	suspendedBy *Account
	suspendedAt time.Time
	deleted     bool
}

// Install puts the App on an account, for the repositories named or for all when none is.
func (a *App) Install(account *Account, repos ...*Repo) *Installation {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &Installation{s: s, id: s.id(), app: a, account: account, all: len(repos) == 0, repos: map[int64]bool{},
		permissions: maps.Clone(a.permissions), created: s.now(), updated: s.now()}
	for _, r := range repos {
		if r.owner != account {
			misuse("install %s on %s for %s: the repository is not the account's", a.slug, account.login, r.fullName())
		}
		i.repos[r.id] = true
	}
	s.installs[i.id] = i
	s.emitInstall(i, "installation", "created", object{"repositories": s.shortRepos(i.covered()), "requester": nil}, account)
	return i
}

// ID returns the installation's number.
func (i *Installation) ID() int64 { return i.id }

// Delete uninstalls the App: its tokens end and it hears of it once.
func (i *Installation) Delete() {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.remove()
}

func (i *Installation) remove() {
	i.s.emitInstall(i, "installation", "deleted", object{"repositories": i.s.shortRepos(i.covered())}, i.account)
	i.deleted = true
}

// Suspend stops the App on the account until Unsuspend: its tokens are refused.
func (i *Installation) Suspend() {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.suspendedBy, i.suspendedAt = i.account, i.s.now()
	i.s.emitInstall(i, "installation", "suspend", object{}, i.account)
}

// Unsuspend ends Suspend.
func (i *Installation) Unsuspend() {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.suspendedBy = nil
	i.s.emitInstall(i, "installation", "unsuspend", object{}, i.account)
}

// SetPermissions is the owner accepting other permissions than the App had.
func (i *Installation) SetPermissions(permissions map[string]string) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.permissions = maps.Clone(permissions)
	i.s.emitInstall(i, "installation", "new_permissions_accepted", object{}, i.account)
}

// Add lets the App at more repositories of the account.
func (i *Installation) Add(repos ...*Repo) { i.change(true, repos) }

// Remove takes repositories from the App.
func (i *Installation) Remove(repos ...*Repo) { i.change(false, repos) }

func (i *Installation) change(add bool, repos []*Repo) {
	s := i.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.all {
		for _, r := range i.covered() {
			i.repos[r.id] = true
		}
		i.all = false
	}
	added, removed := repos, []*Repo(nil)
	action := "added"
	if !add {
		added, removed, action = nil, repos, "removed"
	}
	for _, r := range added {
		i.repos[r.id] = true
	}
	for _, r := range removed {
		delete(i.repos, r.id)
	}
	s.emitInstall(i, "installation_repositories", action, object{
		"repository_selection": i.selection(), "repositories_added": s.shortRepos(added),
		"repositories_removed": s.shortRepos(removed), "requester": nil,
	}, i.account)
}

func (i *Installation) selection() string {
	if i.all {
		return "all"
	}
	return "selected"
}

func (i *Installation) covers(r *Repo) bool {
	return !i.deleted && r.owner == i.account && !r.deleted && (i.all || i.repos[r.id])
}

func (i *Installation) covered() []*Repo {
	var repos []*Repo
	for _, r := range i.s.repos {
		if i.covers(r) {
			repos = append(repos, r)
		}
	}
	slices.SortFunc(repos, func(a, b *Repo) int { return cmp.Compare(a.id, b.id) })
	return repos
}

func (a *App) installed(r *Repo) *Installation {
	for _, i := range a.s.installs {
		if i.app == a && i.covers(r) {
			return i
		}
	}
	return nil
}

func (s *Server) appBySlug(slug string) *App {
	for _, a := range s.apps {
		if strings.EqualFold(a.slug, slug) {
			return a
		}
	}
	return nil
}
