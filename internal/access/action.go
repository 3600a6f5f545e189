// Package access says who may do what: who asks (Actor), what they ask for (Action), and the one place that decides (Authorizer). Everything is refused
// that is not allowed here; what is allowed to people on a repository is what GitHub allows them there at that moment.
//
// Guard and Mux stand in front of every route: a route that is not in the table of routes answers nobody.
package access

// Action is something that can be asked for.
type Action string

// The actions.
const (
	Open     Action = "open"     // what everybody may ask for: health, the sign-in, a webhook, whose signature is its permission
	Enter    Action = "enter"    // what everybody may ask for who is signed in; what is shown is chosen by See
	See      Action = "see"      // a preview with its logs, events and deployments
	Redeploy Action = "redeploy" // the same commit once more; also called retry
	Delete   Action = "delete"   // the preview, although the pull request is open
	Approve  Action = "approve"  // one commit of a fork or a bot
	Operate  Action = "operate"  // look at Catalyst itself: deliveries, checks, the record
	Replay   Action = "replay"   // a delivery
	Tokens   Action = "tokens"   // make, list and end tokens of one's own
)

// level is what an actor has to be.
type level int

const (
	nobody level = iota // the zero value: an action that is not in the table
	anybody
	person   // signed in
	reader   // may see the repository on GitHub
	writer   // may push to it
	operator // of this Catalyst
)

// Scope limits what a token can be used for.
type Scope string

// The scopes of tokens.
const (
	ScopeRead    Scope = "read"    // look
	ScopeWrite   Scope = "write"   // act on previews
	ScopeOperate Scope = "operate" // what operators do
)

// Scopes are all scopes.
func Scopes() []string { return []string{string(ScopeRead), string(ScopeWrite), string(ScopeOperate)} }

// need is what an action takes.
type need struct {
	level level
	scope Scope // that a token must have; empty: tokens may not
	does  bool  // it changes something, so it is recorded
}

// needs is the table of all actions.
var needs = map[Action]need{
	Open:     {level: anybody, scope: ScopeRead},
	Enter:    {level: person, scope: ScopeRead},
	See:      {level: reader, scope: ScopeRead},
	Redeploy: {level: writer, scope: ScopeWrite, does: true},
	Delete:   {level: writer, scope: ScopeWrite, does: true},
	Approve:  {level: writer, scope: ScopeWrite, does: true},
	Operate:  {level: operator, scope: ScopeOperate},
	Replay:   {level: operator, scope: ScopeOperate, does: true},
	Tokens:   {level: person, does: true},
}
