package ghapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/preview"
)

const checkGroup = "GitHub"

// Needs is what a GitHub App must have been given for Catalyst to work.
type Needs struct {
	Permissions  map[string]string // "contents": "read"
	Optional     map[string]Optional
	Events       []string
	WebhookURL   string   // where its deliveries must go; "" when that is not known
	Repositories []string // full names that it must reach
}

// Optional is a permission that a part of Catalyst needs which may be left out.
type Optional struct{ Level, For string }

// AppNeeds are the permissions and events of Catalyst's App, no more and no less. Administration is asked of nobody: an App that has it
// takes environments away with their previews.
func AppNeeds() Needs {
	return Needs{
		Optional:    map[string]Optional{},
		Permissions: map[string]string{"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "read"},
		Events:      []string{"pull_request", "issue_comment"},
	}
}

// Checks are what doctor asks GitHub: who Catalyst is there, what it may do, whether deliveries arrive, which repositories it reaches.
func (c *Client) Checks(n Needs) []doctor.Check {
	checks := []doctor.Check{
		{Group: checkGroup, Name: "credentials", Run: func(ctx context.Context) []doctor.Finding { return c.checkApp(ctx, n) }},
		doctor.One(checkGroup, "webhook", func(ctx context.Context) doctor.Finding { return c.checkWebhook(ctx, n) }),
		doctor.One(checkGroup, "deliveries", c.checkDeliveries),
	}
	for _, name := range n.Repositories {
		checks = append(checks, doctor.One(checkGroup, "repository "+name, func(ctx context.Context) doctor.Finding {
			return c.checkRepository(ctx, name)
		}))
	}
	return checks
}

// see asks for one thing, past everything that is remembered.
func see[T any](ctx context.Context, c *Client, as credential, path string) (T, *github.Response, error) {
	var found T
	route, _, _ := strings.Cut(path, "?")
	req, err := c.gh.NewRequest(with(ctx, "/"+route, as), http.MethodGet, path, nil)
	if err != nil {
		return found, nil, err
	}
	resp, err := c.gh.Do(req, &found)
	return found, resp, kind(err)
}

func (c *Client) checkApp(ctx context.Context, n Needs) []doctor.Finding {
	credentials := doctor.Finding{
		Group: checkGroup, Name: "credentials", Status: doctor.Fail,
		Why: "Catalyst can neither read pull requests nor comment.",
		Fix: "Check github.app_id and github.private_key against the App's settings page, and this machine's clock.",
	}
	if c.key == nil {
		self, resp, err := see[github.User](ctx, c, c.as(Repo{}), "user")
		if err != nil {
			credentials.Found, credentials.Fix = err.Error(), "Make a new personal access token with contents:read and pull_requests:write, and set github.token."
			return []doctor.Finding{credentials}
		}
		return []doctor.Finding{
			{Group: checkGroup, Name: "credentials", Status: doctor.OK, Found: "the token of " + self.GetLogin()},
			doctor.Clock(checkGroup, resp.Header, c.now()),
			{Group: checkGroup, Name: "permissions", Status: doctor.Skip, Found: "not checked: a token does not tell what it may do"},
		}
	}
	app, resp, err := see[github.App](ctx, c, c.asApp(), "app")
	if err != nil {
		credentials.Found = err.Error()
		return []doctor.Finding{credentials}
	}
	return []doctor.Finding{
		{Group: checkGroup, Name: "credentials", Status: doctor.OK, Found: fmt.Sprintf("App %s (%d)", app.GetSlug(), app.GetID())},
		doctor.Clock(checkGroup, resp.Header, c.now()),
		permissions(granted(app.GetPermissions()), n, app),
		events(app.Events, n.Events, app),
	}
}

// granted gives the permissions by their names in GitHub's API.
func granted(p *github.InstallationPermissions) map[string]string {
	levels := map[string]string{}
	for name, level := range map[string]*string{
		"metadata": p.Metadata, "contents": p.Contents, "pull_requests": p.PullRequests, "issues": p.Issues, "checks": p.Checks,
		"statuses": p.Statuses, "deployments": p.Deployments, "actions": p.Actions, "administration": p.Administration,
		"workflows": p.Workflows, "members": p.Members, "secrets": p.Secrets, "packages": p.Packages, "environments": p.Environments,
	} {
		if level != nil {
			levels[name] = *level
		}
	}
	return levels
}

func permissions(have map[string]string, n Needs, app github.App) doctor.Finding {
	need := n.Permissions
	rank := map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}
	var missing, without, spare []string
	for _, name := range slices.Sorted(maps.Keys(need)) {
		if rank[have[name]] < rank[need[name]] {
			missing = append(missing, name+":"+need[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Optional)) {
		if o := n.Optional[name]; rank[have[name]] < rank[o.Level] {
			without = append(without, name+":"+o.Level+" for "+o.For)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if name != "administration" && rank[have[name]] > max(rank[need[name]], rank[n.Optional[name].Level]) {
			spare = append(spare, name+":"+have[name])
		}
	}
	f := doctor.Finding{Group: checkGroup, Name: "permissions"}
	switch {
	case len(missing) > 0:
		f.Status, f.Found = doctor.Fail, "missing: "+strings.Join(missing, ", ")
		f.Why = "Catalyst cannot read what to deploy, or cannot say where it is."
		f.Fix = fmt.Sprintf("Give the App these permissions on its settings page (%s), and accept them for each installation.", settings(app))
	case len(without) > 0:
		f.Status, f.Found = doctor.Warn, "not given: "+strings.Join(without, ", ")
		f.Why = "Previews work, and GitHub shows less of them."
		f.Fix = fmt.Sprintf("Give the App these permissions on its settings page (%s), and accept them for each installation; or switch these parts off.", settings(app))
	case len(spare) > 0:
		f.Status, f.Found = doctor.Warn, "more than needed: "+strings.Join(spare, ", ")
		f.Why = "Who gets hold of the App's key could do that, too."
		f.Fix = fmt.Sprintf("Take them away on the App's settings page (%s).", settings(app))
	default:
		f.Status, f.Found = doctor.OK, "exactly what is needed"
	}
	return f
}

func events(have, need []string, app github.App) doctor.Finding {
	var missing []string
	for _, name := range need {
		if !slices.Contains(have, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return doctor.Finding{Group: checkGroup, Name: "events", Status: doctor.OK, Found: strings.Join(need, ", ")}
	}
	return doctor.Finding{
		Group: checkGroup, Name: "events", Status: doctor.Fail, Found: "not subscribed to " + strings.Join(missing, ", "),
		Why: "Catalyst hears of a change only when the next sweep comes by.",
		Fix: fmt.Sprintf("Subscribe the App to these events on its settings page (%s).", settings(app)),
	}
}

// settings is where the owner changes the App.
func settings(app github.App) string {
	return strings.TrimSuffix(app.GetHTMLURL(), "/") + ", App settings"
}

const notAnApp = "not checked: Catalyst works with a token"

func (c *Client) checkWebhook(ctx context.Context, n Needs) doctor.Finding {
	if c.key == nil {
		return doctor.Finding{Status: doctor.Skip, Found: notAnApp}
	}
	hook, _, err := see[github.HookConfig](ctx, c, c.asApp(), "app/hook/config")
	f := doctor.Finding{Status: doctor.Fail, Why: "GitHub's deliveries do not arrive, or cannot be told from forged ones.", Fix: "Correct it under Webhook on the App's settings page."}
	switch {
	case err != nil:
		f.Found = err.Error()
	case hook.GetURL() == "":
		f.Found = "the App has no webhook"
	case n.WebhookURL != "" && strings.TrimSuffix(hook.GetURL(), "/") != n.WebhookURL:
		f.Found, f.Fix = "deliveries go to "+hook.GetURL(), "Set the webhook's URL to "+n.WebhookURL+" on the App's settings page, or correct public_url."
	case hook.GetContentType() != "json":
		f.Found, f.Fix = "its content type is "+hook.GetContentType(), "Set the webhook's content type to application/json on the App's settings page."
	case hook.GetSecret() == "":
		f.Found, f.Fix = "it has no secret", "Set the webhook's secret on the App's settings page to that of github.webhook_secret."
	case hook.GetInsecureSSL() != "0" && hook.GetInsecureSSL() != "":
		f.Status, f.Found = doctor.Warn, "GitHub does not verify the certificate"
		f.Why, f.Fix = "Somebody in between can read the deliveries of private repositories.", "Enable SSL verification on the App's settings page."
	default:
		return doctor.Finding{Status: doctor.OK, Found: hook.GetURL()}
	}
	return f
}

// checkDeliveries looks at the newest of them: whether GitHub reaches Catalyst.
func (c *Client) checkDeliveries(ctx context.Context) doctor.Finding {
	if c.key == nil {
		return doctor.Finding{Status: doctor.Skip, Found: notAnApp}
	}
	list, _, err := see[[]*github.HookDelivery](ctx, c, c.asApp(), "app/hook/deliveries?per_page=50")
	f := doctor.Finding{Status: doctor.Warn, Why: "Catalyst learns of changes by deliveries; without them only by the sweep, minutes later."}
	if err != nil {
		f.Found, f.Fix = err.Error(), "Try again."
		return f
	}
	if len(list) == 0 {
		f.Found, f.Fix = "GitHub has sent none yet", "Install the App on a repository, or open a pull request."
		return f
	}
	failed := 0
	for _, d := range list {
		if !arrived(d) {
			failed++
		}
	}
	newest := list[0]
	if arrived(newest) && failed == 0 {
		return doctor.Finding{Status: doctor.OK, Found: fmt.Sprintf("the last %d arrived", len(list))}
	}
	f.Found = fmt.Sprintf("%d of the last %d failed; the newest (%s): %d %s", failed, len(list), newest.GetEvent(), newest.GetStatusCode(), newest.GetStatus())
	f.Fix = "See Recent Deliveries under Advanced on the App's settings page; 401 is a wrong secret, and a failure to connect a URL or firewall."
	if !arrived(newest) {
		f.Status = doctor.Fail
	}
	return f
}

func (c *Client) checkRepository(ctx context.Context, name string) doctor.Finding {
	f := doctor.Finding{Status: doctor.Fail, Why: "It gets no previews."}
	repo, err := c.Resolve(ctx, name)
	if err == nil {
		_, err = c.OpenPullRequests(ctx, repo)
	}
	switch {
	case err == nil:
		return doctor.Finding{Status: doctor.OK, Found: fmt.Sprintf("%s (%d)", repo.FullName, repo.ID)}
	case errors.Is(err, preview.ErrNotFound), errors.Is(err, preview.ErrGone):
		f.Found, f.Fix = "not found: it does not exist, or the App is not installed on it", "Install the App on "+name+", or correct the name under repositories in the configuration."
	default:
		f.Found, f.Fix = err.Error(), "See what GitHub says about the App's installation on "+name+"."
	}
	return f
}
