package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks one Catalyst. Safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// Problem is an answer that is not the one asked for.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	ID     string `json:"id"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// Error gives what was wrong.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = fmt.Sprintf("%d %s", p.Status, p.Title)
	}
	for _, e := range p.Errors {
		text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	return text
}

// IsStatus reports whether the error is an answer with this HTTP status.
func IsStatus(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status
}

// New returns a client of the Catalyst at the address, which is that of its pages, with a token; empty: none. client may be nil.
func New(address, token string, client *http.Client) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("address of Catalyst %q: expected a URL like https://catalyst.example.com", address)
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{base: u, token: token, http: client}, nil
}

// Ref names a preview.
type Ref struct {
	Repository string // OWNER/NAME
	Number     int
}

// String is OWNER/NAME#NUMBER.
func (r Ref) String() string { return fmt.Sprintf("%s#%d", r.Repository, r.Number) }

// ParseRef reads OWNER/NAME#NUMBER, or the address of a pull request.
func ParseRef(s string) (Ref, error) {
	text := s
	if _, rest, ok := strings.Cut(text, "://"); ok { // https://github.com/OWNER/NAME/pull/NUMBER…
		parts := strings.Split(rest, "/")
		if len(parts) >= 5 && parts[3] == "pull" {
			text = parts[1] + "/" + parts[2] + "#" + parts[4]
		}
	}
	repository, number, ok := strings.Cut(text, "#")
	n, err := strconv.Atoi(number)
	owner, name, slash := strings.Cut(repository, "/")
	if !ok || err != nil || n <= 0 || !slash || owner == "" || name == "" || strings.Contains(name, "/") {
		return Ref{}, fmt.Errorf("preview %q: expected OWNER/NAME#NUMBER, or the address of a pull request", s)
	}
	return Ref{Repository: repository, Number: n}, nil
}

func (r Ref) path() string {
	owner, name, _ := strings.Cut(r.Repository, "/")
	return "/previews/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/" + strconv.Itoa(r.Number)
}

// Filter says which previews are listed. What is empty lets everything pass.
type Filter struct {
	Repository, Status, Author, Text string
	Limit                            int
	Cursor                           string
}

// Previews lists previews, the one that changed last first.
func (c *Client) Previews(ctx context.Context, f Filter) (out Previews, err error) {
	q := query("repository", f.Repository, "status", f.Status, "author", f.Author, "q", f.Text, "limit", number(f.Limit), "cursor", f.Cursor)
	return out, c.get(ctx, "/previews", q, &out)
}

// Preview returns one preview.
func (c *Client) Preview(ctx context.Context, r Ref) (out Preview, err error) {
	return out, c.get(ctx, r.path(), nil, &out)
}

// Deployments lists the deployments of a preview.
func (c *Client) Deployments(ctx context.Context, r Ref, limit int, cursor string) (out Deployments, err error) {
	return out, c.get(ctx, r.path()+"/deployments", query("limit", number(limit), "cursor", cursor), &out)
}

// Deployment returns one deployment.
func (c *Client) Deployment(ctx context.Context, id string) (out Deployment, err error) {
	return out, c.get(ctx, "/deployments/"+url.PathEscape(id), nil, &out)
}

// Timeline returns what happened to a preview.
func (c *Client) Timeline(ctx context.Context, r Ref) (out Timeline, err error) {
	return out, c.get(ctx, r.path()+"/timeline", nil, &out)
}

// Events lists what the cluster says about a preview.
func (c *Client) Events(ctx context.Context, r Ref) (out Events, err error) {
	return out, c.get(ctx, r.path()+"/events", nil, &out)
}

// Containers lists the containers of a preview.
func (c *Client) Containers(ctx context.Context, r Ref) (out Containers, err error) {
	return out, c.get(ctx, r.path()+"/containers", nil, &out)
}

// Resources returns what a preview used of CPU and memory: in the last hour, or with day in the last day, by the minute.
func (c *Client) Resources(ctx context.Context, r Ref, day bool) (out Resources, err error) {
	var q url.Values
	if day {
		q = query("range", "24h")
	}
	return out, c.get(ctx, r.path()+"/resources", q, &out)
}

// Redeploy asks for the same commit once more.
func (c *Client) Redeploy(ctx context.Context, r Ref) (out Command, err error) {
	return out, c.send(ctx, http.MethodPost, r.path()+"/redeploy", nil, &out)
}

// Retry is Redeploy, in the word for a preview that failed.
func (c *Client) Retry(ctx context.Context, r Ref) (out Command, err error) {
	return out, c.send(ctx, http.MethodPost, r.path()+"/retry", nil, &out)
}

// Delete asks for the preview's removal.
func (c *Client) Delete(ctx context.Context, r Ref) (out Command, err error) {
	return out, c.send(ctx, http.MethodDelete, r.path(), nil, &out)
}

// Approve allows one commit to be deployed.
func (c *Client) Approve(ctx context.Context, r Ref, a Approval) (out Command, err error) {
	return out, c.send(ctx, http.MethodPost, r.path()+"/approve", a, &out)
}

// Command returns what became of what was asked for.
func (c *Client) Command(ctx context.Context, r Ref, id string) (out Command, err error) {
	return out, c.get(ctx, r.path()+"/commands/"+url.PathEscape(id), nil, &out)
}

// Deliveries lists deliveries, the newest first. What is empty lets everything pass.
func (c *Client) Deliveries(ctx context.Context, repository, outcome string, limit int, cursor string) (out Deliveries, err error) {
	return out, c.get(ctx, "/deliveries", query("repository", repository, "outcome", outcome, "limit", number(limit), "cursor", cursor), &out)
}

// Delivery returns one delivery.
func (c *Client) Delivery(ctx context.Context, id string) (out Delivery, err error) {
	return out, c.get(ctx, "/deliveries/"+url.PathEscape(id), nil, &out)
}

// Replay has a delivery looked at once more.
func (c *Client) Replay(ctx context.Context, id string) (out Replayed, err error) {
	return out, c.send(ctx, http.MethodPost, "/deliveries/"+url.PathEscape(id)+"/replay", nil, &out)
}

// Queue returns what waits and runs now.
func (c *Client) Queue(ctx context.Context) (out Queue, err error) {
	return out, c.get(ctx, "/queue", nil, &out)
}

// Doctor has everything checked that Catalyst stands on.
func (c *Client) Doctor(ctx context.Context) (out Findings, err error) {
	return out, c.get(ctx, "/doctor", nil, &out)
}

// Audit returns the record of who did what, about the subject unless that is empty.
func (c *Client) Audit(ctx context.Context, subject string, limit int, cursor string) (out Record, err error) {
	return out, c.get(ctx, "/audit", query("subject", subject, "limit", number(limit), "cursor", cursor), &out)
}

// Me returns who asks.
func (c *Client) Me(ctx context.Context) (out Me, err error) {
	return out, c.get(ctx, "/me", nil, &out)
}

// Tokens lists one's own tokens.
func (c *Client) Tokens(ctx context.Context) (out Tokens, err error) {
	return out, c.get(ctx, "/tokens", nil, &out)
}

// NewToken makes a token; its secret is told this once.
func (c *Client) NewToken(ctx context.Context, n NewToken) (out Token, err error) {
	return out, c.send(ctx, http.MethodPost, "/tokens", n, &out)
}

// EndToken ends one of one's own tokens.
func (c *Client) EndToken(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil, nil)
}

func (c *Client) get(ctx context.Context, path string, q url.Values, into any) error {
	response, err := c.do(ctx, http.MethodGet, path, q, nil, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return decode(response, into)
}

func (c *Client) send(ctx context.Context, method, path string, body, into any) error {
	response, err := c.do(ctx, method, path, nil, body, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return decode(response, into)
}

// do returns a response with a status below 300, or an error; the caller closes its body.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, body any, accept string) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		in = bytes.NewReader(b)
	}
	address := c.base.String() + "/api/v1" + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, in)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask Catalyst: %w", err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	p := &Problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode)}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if json.Unmarshal(text, p) != nil || p.Status == 0 {
		p = &Problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode), Detail: fmt.Sprintf("%s answers %s, and not as Catalyst does", c.base, response.Status)}
	}
	return nil, p
}

func decode(response *http.Response, into any) error {
	if into == nil || response.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of Catalyst: %w", err)
	}
	return nil
}

// query takes names and values in turn and leaves out what is empty.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// WaitFor asks what became of the command until it is enough, or ctx ends; it returns the command as it then is.
func (c *Client) WaitFor(ctx context.Context, r Ref, cmd Command, every time.Duration, enough func(Command) bool) (Command, error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for !enough(cmd) {
		select {
		case <-ctx.Done():
			return cmd, ctx.Err()
		case <-ticker.C:
		}
		now, err := c.Command(ctx, r, cmd.ID)
		if err != nil {
			return cmd, err
		}
		cmd = now
	}
	return cmd, nil
}
