package ghapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// Signed checks that a webhook has a signature at all: exactly one X-Hub-Signature-256, of the right form. It needs no body, so who
// has none is refused before reading. Anything else is preview.ErrSigned.
func Signed(h http.Header) error {
	_, err := signature(h)
	return err
}

func signature(h http.Header) ([]byte, error) {
	given := h.Values("X-Hub-Signature-256")
	if len(given) != 1 {
		return nil, fmt.Errorf("verify webhook: %d X-Hub-Signature-256 headers, expected one: %w", len(given), preview.ErrSigned)
	}
	digits, ok := strings.CutPrefix(given[0], "sha256=")
	signature, err := hex.DecodeString(digits)
	if !ok || err != nil || len(signature) != sha256.Size {
		return nil, fmt.Errorf("verify webhook: the signature is not sha256= and 64 hex digits: %w", preview.ErrSigned)
	}
	return signature, nil
}

// Verify checks the signature of a webhook (see Signed), made of the raw body with one of the secrets. All
// secrets are always tried, and compared in constant time. Anything else is preview.ErrSigned. An empty secret never fits.
func Verify(secrets [][]byte, h http.Header, body []byte) error {
	signature, err := signature(h)
	if err != nil {
		return err
	}
	fits := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		equal := hmac.Equal(mac.Sum(nil), signature)
		fits = fits || equal && len(secret) > 0
	}
	if !fits {
		return fmt.Errorf("verify webhook: no secret fits the signature: %w", preview.ErrSigned)
	}
	return nil
}

// Hint is what a webhook says. It may be late, repeated or replayed: it says where to look, never what is true.
type Hint struct {
	Event          string // as the unsigned header named it
	Action         string
	Repository     string // full name; empty when the body names none
	Number         int    // of the pull request that the body is about, used or not; 0: none
	HasPullRequest bool   // PullRequest is set, and worth a look; of a comment's only what the body tells: no commit, no branches, no author
	PullRequest    preview.PullRequest
	Comment        *IssueComment // a command; nil for every other event
	Reason         string        // for people: why there is no pull request to look at
}

// Parse reads the body of a webhook. Events and actions that change no preview give a Hint without a pull request and with
// a Reason. A body that does not have the shape of its event is preview.ErrInvalid: the event's name is not signed, so a body
// of another event may come under it.
func Parse(event string, body []byte) (Hint, error) {
	hint := Hint{Event: event}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return hint, fmt.Errorf("parse webhook %q: %w: %w", event, err, preview.ErrInvalid)
	}
	hint.Action = p.Action
	if p.Repository != nil {
		hint.Repository = p.Repository.FullName
	}
	if event == "issue_comment" {
		return parseComment(hint, p, body)
	}
	if event != "pull_request" {
		hint.Reason = fmt.Sprintf("event %q is not used", event)
		return hint, nil
	}
	if problem := p.problem(); problem != "" {
		return hint, fmt.Errorf("parse webhook %q: %s: %w", event, problem, preview.ErrInvalid)
	}
	hint.Number = p.Number
	switch p.Action {
	case "opened", "reopened", "synchronize", "closed", "ready_for_review", "converted_to_draft":
	case "edited":
		if p.Changes == nil || p.Changes.Base == nil {
			hint.Reason = `action "edited" changes nothing here unless it changes the base branch`
			return hint, nil
		}
	default:
		hint.Reason = fmt.Sprintf("action %q changes nothing here", p.Action)
		return hint, nil
	}
	hint.HasPullRequest, hint.PullRequest = true, p.pullRequest()
	return hint, nil
}

// payload is what matters of a webhook's body. Pointers are what GitHub may leave out or send as null.
type payload struct {
	Action       string             `json:"action"`
	Number       int                `json:"number"`
	Repository   *payloadRepository `json:"repository"`
	Installation *struct {
		ID int64 `json:"id"`
	} `json:"installation"`
	Changes *struct {
		Base *json.RawMessage `json:"base"`
	} `json:"changes"`
	PullRequest *struct {
		Number   int            `json:"number"`
		State    string         `json:"state"`
		Title    string         `json:"title"`
		Draft    bool           `json:"draft"`
		Merged   *bool          `json:"merged"`
		Comments *int           `json:"comments"`
		User     *payloadUser   `json:"user"`
		Head     *payloadBranch `json:"head"`
		Base     *payloadBranch `json:"base"`
	} `json:"pull_request"`
}

type payloadRepository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	Private  bool   `json:"private"`
}

type payloadBranch struct {
	Ref  string             `json:"ref"`
	SHA  string             `json:"sha"`
	Repo *payloadRepository `json:"repo"`
}

type payloadUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

// problem says what keeps the payload from being one of a pull request.
func (p *payload) problem() string {
	pr := p.PullRequest
	switch {
	case p.Action == "":
		return "no action"
	case p.Repository == nil || p.Repository.ID <= 0 || p.Repository.FullName == "":
		return "no repository"
	case pr == nil || p.Number <= 0:
		return "no pull request"
	case pr.Number != p.Number:
		return fmt.Sprintf("pull request %d in an event about %d", pr.Number, p.Number)
	case pr.State != "open" && pr.State != "closed":
		return fmt.Sprintf("state %q of the pull request", pr.State)
	case pr.Head == nil || !preview.ValidSHA(pr.Head.SHA):
		return "no head commit"
	case pr.Base == nil || pr.Base.Repo == nil || pr.Base.Repo.ID != p.Repository.ID:
		return "the pull request is of another repository"
	}
	return ""
}

func (p *payload) pullRequest() preview.PullRequest {
	pr := p.PullRequest
	out := preview.PullRequest{
		Key:        preview.Key{RepositoryID: p.Repository.ID, Number: p.Number},
		Repository: p.Repository.FullName,
		Private:    p.Repository.Private,
		Title:      pr.Title,
		Author:     "ghost",
		Branch:     pr.Head.Ref,
		BaseBranch: pr.Base.Ref,
		HeadSHA:    pr.Head.SHA,
		Open:       pr.State == "open",
		Merged:     pr.Merged != nil && *pr.Merged,
		Draft:      pr.Draft,
		Comments:   -1,
	}
	if p.Installation != nil {
		out.InstallationID = p.Installation.ID
	}
	if pr.User != nil {
		out.Author, out.Bot = author(pr.User.Login), pr.User.Type == bot
	}
	if pr.Head.Repo != nil {
		out.HeadRepositoryID, out.HeadRepository = pr.Head.Repo.ID, pr.Head.Repo.FullName
	}
	if pr.Comments != nil {
		out.Comments = *pr.Comments
	}
	return out
}
