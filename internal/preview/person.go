package preview

import "time"

// Person is who somebody is for Catalyst: an account on GitHub, or somebody for whom the operator's own sign-in vouches.
type Person struct {
	Login    string // on GitHub; empty for who has no account there
	UserID   int64  // on GitHub: logins change hands; 0 without an account
	Name     string // for people: the login, an address, "operator"
	Operator bool   // whoever vouched for the person said so; the operators that the configuration lists are found by login and id
}

// SessionKind says what a session is good for.
type SessionKind string

// The kinds of sessions.
const (
	SessionPerson SessionKind = "person" // somebody is signed in
	SessionLogin  SessionKind = "login"  // a sign-in that is under way
	SessionLink   SessionKind = "link"   // a link that signs its first visitor in
)

// Session is what a cookie or a link stands for. The database knows only the hash of either.
type Session struct {
	ID   string // SHA-256 of what the browser holds, hex
	Kind SessionKind
	Person
	Data      string // login: what is to be compared when the person comes back
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Token lets a program act for a person, within its scopes and never beyond what the person may do then. The database knows only its hash.
type Token struct {
	ID     string // UUIDv7
	Hash   string // SHA-256 of the token, hex
	Label  string // foreign text: what it is for
	Scopes []string
	Person
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time // to the minute; zero: never
}

// Audit is one line of the record of who did what.
type Audit struct {
	ID      string // UUIDv7
	At      time.Time
	Actor   string // foreign text: a login, an address
	UserID  int64  // on GitHub; 0 without an account
	Via     string // session, token, operator token
	Action  string
	Subject string // a preview as OWNER/NAME#NUMBER, a delivery, a token; empty for Catalyst itself
	Outcome string // allowed or refused
	Detail  string
}
