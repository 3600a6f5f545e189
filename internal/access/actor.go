package access

import (
	"context"
	"slices"

	"catalyst.dev/catalyst/internal/preview"
)

// Via says how an actor came to be known.
type Via string

// The ways to be known.
const (
	ViaNothing       Via = "" // nobody knows who asks
	ViaSession       Via = "session"
	ViaToken         Via = "token"
	ViaOperatorToken Via = "operator token" // the one in the configuration
)

// Standing is what follows for somebody whom GitHub does not know from what the provider of their sign-in says.
type Standing string

// The standings.
const (
	StandingNone     Standing = ""         // whom GitHub knows is asked for there
	StandingViewer   Standing = "viewer"   // may see every preview, and change none
	StandingOperator Standing = "operator" // for as long as the session lasts
)

// Actor is who asks.
type Actor struct {
	preview.Person
	Via      Via
	Scopes   []Scope  // of a token
	Standing Standing // of a session
}

// Known reports whether somebody vouched for the actor.
func (a Actor) Known() bool { return a.Via != ViaNothing }

// limits reports whether a token keeps the actor from what needs the scope. The token of the configuration has all scopes.
func (a Actor) limits(s Scope) bool {
	return a.Via == ViaToken && (s == "" || !slices.Contains(a.Scopes, s))
}

// Who is the actor for people and for the record.
func (a Actor) Who() string {
	switch {
	case a.Login != "":
		return a.Login
	case a.Name != "":
		return a.Name
	case a.Known():
		return string(a.Via)
	}
	return "anonymous"
}

type actorKey struct{}
type previewKey struct{}

// From returns who asks, as the guard found out.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// Preview returns the preview that a request is about. Only a route whose rule names one has it: the guard has looked it up and let the request pass.
func Preview(ctx context.Context) preview.Preview {
	p, _ := ctx.Value(previewKey{}).(preview.Preview)
	return p
}
