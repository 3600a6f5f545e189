package preview

import (
	"math"
	"regexp"
	"strings"
	"time"
)

// Verb is what a command asks for.
type Verb string

// The verbs, as they are written after /preview.
const (
	VerbHelp     Verb = "help"
	VerbDeploy   Verb = "deploy"
	VerbRedeploy Verb = "redeploy" // the same as deploy
	VerbRetry    Verb = "retry"    // the same as deploy
	VerbApprove  Verb = "approve"
	VerbDestroy  Verb = "destroy"
	VerbLogs     Verb = "logs"
	VerbDiagnose Verb = "diagnose"
	VerbSleep    Verb = "sleep"
	VerbWake     Verb = "wake"
	VerbPin      Verb = "pin"
	VerbExtend   Verb = "extend"
)

// Order is what a comment says in its first line: a verb, and perhaps one word more.
type Order struct {
	Verb     Verb
	Argument string
}

// String is the order as it is written.
func (o Order) String() string {
	return strings.TrimSpace("/preview " + string(o.Verb) + " " + o.Argument)
}

// maxWord is the longest word of an order; longer ones are cut, and then mean nothing.
const maxWord = 64

// word is what a verb and an argument are made of. Anything else is taken as an empty word.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// ParseOrder reads the order in a comment, and reports false when the comment is none. Only the first line counts, it must
// begin with /preview, and there is one order in a comment. An order without a verb asks for help; a verb that nobody knows
// is left as it is, for a refusal that names it. Words after the argument leave an argument that no verb takes.
func ParseOrder(comment string) (Order, bool) {
	line, _, _ := strings.Cut(comment, "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "/preview" {
		return Order{}, false
	}
	for i, f := range fields {
		if fields[i] = f[:min(len(f), maxWord)]; i > 0 && !word.MatchString(fields[i]) {
			fields[i] = "?"
		}
	}
	switch len(fields) {
	case 1:
		return Order{Verb: VerbHelp}, true
	case 2:
		return Order{Verb: Verb(strings.ToLower(fields[1]))}, true
	case 3:
		return Order{Verb: Verb(strings.ToLower(fields[1])), Argument: fields[2]}, true
	}
	return Order{Verb: Verb(strings.ToLower(fields[1])), Argument: fields[2] + " …"}, true
}

// Origin says how a command came, and with it what is asked of GitHub about who gave it.
type Origin string

// The origins of a command.
const (
	OriginComment  Origin = ""         // a comment on the pull request, which is read again
	OriginPerson   Origin = "person"   // a person who is signed in, or a person's token; may do what GitHub lets them
	OriginOperator Origin = "operator" // an operator of this Catalyst, who may do everything
)

// Command is an order that somebody gave, in a comment on a pull request or over the API, and what became of it. A comment gives one command, once.
type Command struct {
	CommentID  int64 // what tells commands apart; negative for one that did not come by a comment, see CommandID
	PreviewID  string
	Order      Order
	Author     string // login
	AuthorID   int64
	SHA        string         // what Catalyst knew as the head commit when the comment came; empty when it knew none
	Outcome    CommandOutcome // empty until it was looked at
	Told       CommandOutcome // the last outcome that a reaction on the comment tells
	Generation int64          // of the preview: when the comment came, and once accepted the one that brings the command to its end
	ReceivedAt time.Time
	FinishedAt time.Time // zero until the outcome is final
	Origin     Origin
	Reason     string // why it was refused, or what was answered; Markdown of Catalyst's own, without foreign text
}

// CommandID returns the id of a command that comes by no comment: negative, and the greater the later it is given. salt tells those of the same
// microsecond apart.
func CommandID(now time.Time, salt uint16) int64 {
	const salted = 10 // bits
	return math.MinInt64 + 1 + (now.UnixMicro()<<salted | int64(salt)&(1<<salted-1))
}

// CommandOutcome says what became of a command.
type CommandOutcome string

// The outcomes of a command. All but CommandAccepted are final.
const (
	CommandAccepted CommandOutcome = "accepted" // allowed, and under way
	CommandDone     CommandOutcome = "done"
	CommandFailed   CommandOutcome = "failed"  // allowed, and what it asked for failed
	CommandRefused  CommandOutcome = "refused" // not allowed, or not possible
)

// Final reports whether the outcome stays.
func (o CommandOutcome) Final() bool { return o != "" && o != CommandAccepted }

// Notice is what stands above everything else in the comment for a while: the answer to a command.
type Notice struct {
	Order   string    `json:"order"` // foreign text
	By      string    `json:"by"`    // foreign text: a login
	Refused bool      `json:"refused,omitempty"`
	Text    string    `json:"text"`             // Markdown of Catalyst's own, without foreign text
	Detail  string    `json:"detail,omitempty"` // foreign text
	Until   time.Time `json:"until"`
}
