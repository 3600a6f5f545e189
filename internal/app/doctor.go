package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

// DoctorOptions say what doctor looks at.
type DoctorOptions struct {
	Pre     bool // only what can be checked before there is an App, a database and a complete configuration
	Version string
}

// Doctor returns the checks of everything that the configuration names. A part that cannot even be set up is a finding of its own.
func Doctor(ctx context.Context, c config.Config, o DoctorOptions) []doctor.Check {
	checks := clusterChecks(ctx, c, o)
	if c.Preview.Domain != "" {
		checks = append(checks, doctor.DNS(c.Preview.Domain, net.DefaultResolver.LookupHost), doctor.Apart(c.Preview.Domain, c.PublicURL))
	}
	if o.Pre {
		return append(checks, doctor.Reach("GitHub", "API", c.GitHub.APIURL, time.Now))
	}
	github, ofGitHub := githubChecks(c, o.Version)
	checks = append(checks, ofGitHub...)
	return append(checks, databaseCheck(c, github))
}

// githubChecks returns the checks of GitHub, and the client they use; nil when it cannot be set up, which is a finding of its own.
func githubChecks(c config.Config, version string) (*ghapp.Client, []doctor.Check) {
	github, err := newGitHub(c, version)
	if err != nil {
		return nil, []doctor.Check{broken("GitHub", "credentials", err, "Correct the section github of the configuration.")}
	}
	return github, github.Checks(needs(c))
}

func clusterChecks(ctx context.Context, c config.Config, o DoctorOptions) []doctor.Check {
	k, err := cluster.New(ctx, cluster.Options{Kubeconfig: c.Cluster.Kubeconfig, InstanceID: c.Instance, Sources: c.Cluster.SecretsNamespace})
	if err != nil {
		return []doctor.Check{broken("cluster", "API server", err, "Name a kubeconfig file in cluster.kubeconfig, or run inside the cluster.")}
	}
	request := checkRequest(c)
	request.Before = o.Pre
	return k.Checks(request)
}

// checkRequest collects what the repositories need from the cluster.
func checkRequest(c config.Config) cluster.CheckRequest {
	r := cluster.CheckRequest{ProbeImage: c.Cluster.ProbeImage}
	add := func(list *[]string, name string) {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	add(&r.IngressClasses, c.Preview.IngressClass)
	add(&r.Issuers, c.Preview.Issuer)
	for _, repository := range c.Repositories {
		add(&r.IngressClasses, repository.IngressClass)
		add(&r.Issuers, repository.Issuer)
		for _, s := range repository.Secrets {
			add(&r.Secrets, s.From)
		}
	}
	return r
}

func newGitHub(c config.Config, version string) (*ghapp.Client, error) {
	return ghapp.New(ghapp.Options{
		APIURL: c.GitHub.APIURL, AppID: c.GitHub.AppID, PrivateKey: []byte(c.GitHub.PrivateKey), Token: string(c.GitHub.Token), UserAgent: "catalyst/" + version,
	})
}

// needs is what GitHub must have been told for the configuration to work.
func needs(c config.Config) ghapp.Needs {
	needs := ghapp.AppNeeds()
	if c.GitHub.Checks {
		needs.Optional["checks"] = ghapp.Optional{Level: "write", For: "check runs (github.checks)"}
	}
	if c.GitHub.Deployments {
		needs.Optional["deployments"] = ghapp.Optional{Level: "write", For: "environments on GitHub (github.deployments)"}
	}
	if c.PublicURL != "" {
		needs.WebhookURL = c.PublicURL + webhookPath
	}
	for _, r := range c.Repositories {
		needs.Repositories = append(needs.Repositories, r.Name)
	}
	return needs
}

const databaseGroup = "database"

// databaseCheck opens the database for one check, as a SQLite file belongs to one process. github may be nil.
func databaseCheck(c config.Config, github *ghapp.Client) doctor.Check {
	return doctor.Check{Group: databaseGroup, Name: "database", Run: func(ctx context.Context) []doctor.Finding { return checkDatabase(ctx, c, github) }}
}

func checkDatabase(ctx context.Context, c config.Config, github *ghapp.Client) (findings []doctor.Finding) {
	say := sayer(&findings)
	if !strings.Contains(c.Database, "://") { // opening it would make it
		if _, err := os.Stat(c.Database); err != nil {
			say("database", err, "", "catalyst migrate")
			return findings
		}
	}
	db, err := OpenStore(ctx, c)
	if errors.Is(err, preview.ErrConflict) {
		return []doctor.Finding{{Group: databaseGroup, Name: "database", Status: doctor.Skip, Found: "not checked: " + c.Database + " belongs to a process that runs, as it should to the server"}}
	}
	if err != nil {
		say("database", err, "", "Correct `database` in the configuration, or start the database server.")
		return findings
	}
	defer func() {
		if err := db.Close(); err != nil {
			say("database", err, "", "See whether the disk is full.")
		}
	}()
	return append(findings, findingsOf(ctx, db, c, github)...)
}

// findingsOf looks at an open database. github may be nil.
func findingsOf(ctx context.Context, db *store.Store, c config.Config, github *ghapp.Client) (findings []doctor.Finding) {
	say := sayer(&findings)
	now, err := db.Time(ctx)
	say("database", err, "answers", "Correct `database` in the configuration, or start the database server.")
	if err != nil {
		return findings
	}
	findings = append(findings, doctor.Skew(databaseGroup, now, time.Now()))
	err = db.CheckSchema(ctx)
	say("schema", err, "current", "catalyst migrate")
	if err != nil {
		return findings
	}
	say("writable", db.CheckWritable(ctx), "takes writes", "See whether the disk is full, or the server is a read-only replica.")
	plain, err := db.CheckKeys(ctx)
	found := "everything that others may have put a secret into is encrypted"
	if c.EncryptionKeys == "" {
		found = "none, and nothing is encrypted"
	}
	say("encryption keys", err, found, "Put the missing line back into encryption_keys_file.")
	if err == nil && plain && c.EncryptionKeys != "" {
		last := &findings[len(findings)-1]
		last.Status, last.Found = doctor.Warn, "some of what was stored earlier is not encrypted"
		last.Why, last.Fix = "Deliveries hold texts of private repositories.", "catalyst keys rotate"
	}
	if github != nil {
		findings = append(findings, checkNames(ctx, c, github, db)...)
	}
	return findings
}

// sayer returns what adds a finding about the database.
func sayer(findings *[]doctor.Finding) func(name string, err error, found, fix string) {
	return func(name string, err error, found, fix string) {
		f := doctor.Finding{Group: databaseGroup, Name: name, Status: doctor.OK, Found: found}
		if err != nil {
			f.Status, f.Found, f.Fix = doctor.Fail, err.Error(), fix
			f.Why = "Catalyst keeps everything there: without it no delivery is accepted."
		}
		*findings = append(*findings, f)
	}
}

// broken is the check of a part that cannot be set up.
func broken(group, name string, err error, fix string) doctor.Check {
	return doctor.One(group, name, func(context.Context) doctor.Finding {
		return doctor.Finding{Status: doctor.Fail, Found: err.Error(), Why: "Nothing of it can be checked, or used.", Fix: fix}
	})
}

// look says in the log, once at the start, what is missing (S13): the same as doctor does, of what can change without Catalyst.
func (a *App) look(ctx context.Context) {
	if err := a.render.Check(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("no chart can be rendered", "err", err, "fix", "run on a Linux kernel with seccomp, in a container that may use it; or set render.sandbox: optional")
	}
	checks := append(a.cluster.Checks(checkRequest(a.config)), doctor.Apart(a.config.Preview.Domain, a.config.PublicURL))
	checks = append(checks, doctor.One(databaseGroup, "encryption keys", func(ctx context.Context) doctor.Finding {
		if _, err := a.store.CheckKeys(ctx); err != nil {
			return doctor.Finding{Status: doctor.Fail, Found: err.Error(), Why: "What was encrypted with it cannot be read.", Fix: "Put the missing line back into encryption_keys_file."}
		}
		return doctor.Finding{Status: doctor.OK}
	}))
	checks = append(checks, doctor.Check{Group: databaseGroup, Name: namesCheck, Run: func(ctx context.Context) []doctor.Finding {
		return checkNames(ctx, a.config, a.github, a.store)
	}})
	for _, f := range doctor.Run(ctx, checks) {
		if f.Status != doctor.OK && f.Status != doctor.Skip && ctx.Err() == nil {
			a.log.Warn("prerequisite missing", "check", fmt.Sprintf("%s: %s", f.Group, f.Name), "found", f.Found, "why", f.Why, "fix", f.Fix)
		}
	}
}

// webhookPath is where GitHub's deliveries go.
const webhookPath = "/webhooks/github"
