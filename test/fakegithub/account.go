package fakegithub

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// Account is a person, an organization or the bot of an App.
type Account struct {
	s       *Server
	id      int64
	login   string
	kind    string // "User", "Organization" or "Bot"
	created time.Time
	members map[int64]bool // of an organization: account id to whether the membership is public
	app     *App           // of a bot
}

// CreateUser adds a person.
func (s *Server) CreateUser(login string) *Account { return s.createAccount(login, "User") }

// CreateOrg adds an organization.
func (s *Server) CreateOrg(login string) *Account { return s.createAccount(login, "Organization") }

// CreateBot adds the account of an App that is not this server's: a login that ends in [bot].
func (s *Server) CreateBot(login string) *Account { return s.createAccount(login, "Bot") }

// Account returns the account of that login, nil when there is none.
func (s *Server) Account(login string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[strings.ToLower(login)]
}

func (s *Server) createAccount(login, kind string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addAccount(login, kind)
}

func (s *Server) addAccount(login, kind string) *Account {
	if login == "" || strings.ContainsAny(login, "/ ") {
		misuse("create account %q: not a login", login)
	}
	if s.accounts[strings.ToLower(login)] != nil {
		misuse("create account %s: the login is taken", login)
	}
	a := &Account{s: s, id: s.id(), login: login, kind: kind, created: s.now(), members: map[int64]bool{}}
	s.accounts[strings.ToLower(login)] = a
	return a
}

// Login returns the account's name.
func (a *Account) Login() string {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.login
}

// ID returns the account's number.
func (a *Account) ID() int64 { return a.id }

// AddMember makes a person a member of the organization. A private membership is not seen in webhooks and by Apps.
func (a *Account) AddMember(person *Account, public bool) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.kind != "Organization" {
		misuse("add member to %s: not an organization", a.login)
	}
	a.members[person.id] = public
}

// Token makes a personal access token, which may do what the person may.
func (a *Account) Token() string {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	text := "ghp_" + randomHex(18)
	a.s.tokens[text] = &token{text: text, account: a}
	return text
}

// Rename gives the account another login; Apps installed on it hear of it. Old repository addresses redirect.
func (a *Account) Rename(login string) {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[strings.ToLower(login)] != nil {
		misuse("rename %s to %s: the login is taken", a.login, login)
	}
	old := a.login
	delete(s.accounts, strings.ToLower(old))
	a.login = login
	s.accounts[strings.ToLower(login)] = a
	for _, r := range s.repos {
		if r.owner == a && !r.deleted {
			s.names[r.key()] = r.id
		}
	}
	for _, i := range s.installs {
		if i.account == a {
			s.emitInstall(i, "installation_target", "renamed", object{
				"account": s.accountObject(a), "target_type": a.kind, "changes": object{"login": object{"from": old}},
			}, a)
		}
	}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
