package app

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/api"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/webhook"
)

// surfaces puts what people and their programs reach behind the guard.
func (a *App) surfaces(door *lifecycle.Lifecycle, version string) *access.Mux {
	c := a.config
	decides := access.NewAuthorizer(a.github, c.Access.Operators)
	knows := access.NewIdentifier(a.store, strings.HasPrefix(c.PublicURL, "https://"), string(c.Access.OperatorToken))
	mux := access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: knows, Authorizer: decides, Finder: a.store, Recorder: a.store, Log: a.log,
	}))
	in := signin.Options{Identifier: knows, Sessions: a.store, Log: a.log, PublicURL: c.PublicURL, Link: c.Access.LoginLink}
	if c.Access.GitHubClientID != "" {
		in.GitHub = &signin.GitHub{
			WebURL: c.GitHub.WebURL(), APIURL: c.GitHub.APIURL, ClientID: c.Access.GitHubClientID, ClientSecret: string(c.Access.GitHubClientSecret),
			HTTP: &http.Client{Timeout: signInLimit},
		}
	}
	signin.Register(mux, in)
	api.Register(mux, api.Options{
		Store: a.store, Lifecycle: door, Access: decides, Cluster: a.cluster, Logs: logs.New(a.cluster), Log: a.log, Version: version,
		Replay: func(ctx context.Context, d preview.Delivery) (preview.Decision, error) {
			return webhook.Replay(ctx, door, d)
		},
		Doctor: func(ctx context.Context) []doctor.Finding { return doctor.Run(ctx, a.checks(ctx, version)) },
	})
	return mux
}

// signInLimit bounds one request to GitHub during a sign-in.
const signInLimit = 15 * time.Second

// checks are those of doctor, with the database that is open already.
func (a *App) checks(ctx context.Context, version string) []doctor.Check {
	checks := append(a.cluster.Checks(checkRequest(a.config)), doctor.DNS(a.config.Preview.Domain, net.DefaultResolver.LookupHost),
		doctor.Apart(a.config.Preview.Domain, a.config.PublicURL))
	github, ofGitHub := githubChecks(a.config, version)
	checks = append(checks, ofGitHub...)
	return append(checks, doctor.Check{Group: databaseGroup, Name: "database", Run: func(ctx context.Context) []doctor.Finding {
		return findingsOf(ctx, a.store, a.config, github)
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
