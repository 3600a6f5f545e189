package app

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/api"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/live"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/ui"
	"catalyst.dev/catalyst/internal/usage"
	"catalyst.dev/catalyst/internal/webhook"
)

// surfaces puts what people and their programs reach behind the guard.
func (a *App) surfaces(door *lifecycle.Lifecycle, version string) *access.Mux {
	c := a.config
	decides := access.NewAuthorizer(a.github, c.Access.Operators)
	knows := access.NewIdentifier(a.store, strings.HasPrefix(c.PublicURL, "https://"), string(c.Access.OperatorToken))
	mux := access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: knows, Authorizer: decides, Finder: a.store, Recorder: a.store, Log: a.log, Until: a.until, ErrorPage: ui.Error(a.log),
	}))
	in := signin.Options{Identifier: knows, Sessions: a.store, Log: a.log, PublicURL: c.PublicURL, Link: c.Access.LoginLink}
	if c.Access.GitHubClientID != "" {
		in.GitHub = &signin.GitHub{
			WebURL: c.GitHub.WebURL(), APIURL: c.GitHub.APIURL, ClientID: c.Access.GitHubClientID, ClientSecret: string(c.Access.GitHubClientSecret),
			HTTP: &http.Client{Timeout: signInLimit},
		}
	}
	if o := c.Access.OIDC; o.Issuer != "" {
		in.OIDC = &signin.OIDC{
			Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: string(o.ClientSecret), Operators: o.Operators, OperatorGroups: o.OperatorGroups,
			ViewerGroups: o.ViewerGroups, GroupsClaim: o.GroupsClaim, HTTP: &http.Client{Timeout: signInLimit},
		}
	}
	signin.Register(mux, in)
	reader := logs.New(a.cluster)
	replay := func(ctx context.Context, d preview.Delivery) (preview.Decision, error) {
		return webhook.Replay(ctx, door, d)
	}
	look := func(ctx context.Context) []doctor.Finding { return doctor.Run(ctx, a.checks()) }
	report := &usage.Reporter{Sampler: a.usage, Inside: a.cluster, Deployments: a.store}
	api.Register(mux, api.Options{
		Store: a.store, Lifecycle: door, Access: decides, Cluster: a.cluster, Logs: reader, Log: a.log, Version: version, Replay: replay, Doctor: look,
		Resources: report, Kept: a.keptLogs(),
	})
	ui.Register(mux, ui.Options{
		Store: a.store, Lifecycle: door, Access: decides, Cluster: a.cluster, Logs: reader, Log: a.log, Version: version, Replay: replay, Doctor: look,
		Live: live.New(a.store, a.log), GitHubURL: c.GitHub.WebURL(), SignIn: in.GitHub != nil, SignInOIDC: in.OIDC != nil,
		Resources: report, Usage: a.usage, Kept: a.keptLogs(), Settings: func(p preview.Preview) []ui.Setting { return settings(c, p) },
	})
	return mux
}

// signInLimit bounds one request to GitHub or to the provider during a sign-in.
const signInLimit = 15 * time.Second

// checks are those of doctor, with the database that is open already.
func (a *App) checks() []doctor.Check {
	checks := append(a.cluster.Checks(checkRequest(a.config)), doctor.DNS(a.config.Preview.Domain, net.DefaultResolver.LookupHost),
		doctor.Apart(a.config.Preview.Domain, a.config.PublicURL))
	checks = append(checks, a.github.Checks(needs(a.config))...)
	return append(checks, doctor.Check{Group: databaseGroup, Name: "database", Run: func(ctx context.Context) []doctor.Finding {
		return findingsOf(ctx, a.store, a.config, a.github)
	}})
}

// inviteOperator writes a link into the log that signs its first visitor in, when the configuration wants one.
func (a *App) inviteOperator(ctx context.Context, address string) {
	if !a.config.Access.LoginLink {
		return
	}
	path, err := signin.NewLink(ctx, a.store)
	if err != nil {
		a.log.Error("no link to sign in", "error", err)
		return
	}
	at := a.config.PublicURL
	if at == "" {
		at = "http://" + address
	}
	a.log.Info("sign in as an operator with this link, once and within 15 minutes", "link", at+path)
}

// keptLogs is where the last logs of previews are; nil when nothing is kept.
func (a *App) keptLogs() ui.Kept {
	if a.kept == nil {
		return nil
	}
	return a.kept
}

// pagesURL is the address of the pages, for links in comments; empty when nobody could sign in there.
func pagesURL(c config.Config) string {
	if c.Access.GitHubClientID == "" && c.Access.OIDC.Issuer == "" && !c.Access.LoginLink {
		return ""
	}
	return c.PublicURL
}
