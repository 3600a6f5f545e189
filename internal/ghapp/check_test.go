package ghapp_test

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	hookURL = "https://catalyst.example.com/webhooks/github"
	nowhere = "http://127.0.0.1:1/webhooks/github"
)

// examine runs the checks of an App that was given these permissions and events; change may alter the rest before.
func examine(t *testing.T, o fakegithub.AppOptions, change func(*bundle)) map[string]doctor.Finding {
	t.Helper()
	gh := fakegithub.Start(t)
	if o.WebhookURL != nowhere { // there is nobody at the address
		gh.HoldDeliveries()
	}
	org := gh.CreateOrg("acme")
	b := &bundle{github: gh, org: org, wire: newWire(t), clock: &clock{}, web: org.CreateRepo(fakegithub.RepoOptions{Name: "web"})}
	b.app = gh.CreateApp(o)
	b.install = b.app.Install(org)
	if change != nil {
		change(b)
	}
	client := b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()})
	needs := ghapp.AppNeeds()
	needs.Optional = optional()
	needs.WebhookURL, needs.Repositories = hookURL, []string{"acme/web"}
	return byName(t, doctor.Run(t.Context(), client.Checks(needs)))
}

func byName(t *testing.T, findings []doctor.Finding) map[string]doctor.Finding {
	t.Helper()
	all := map[string]doctor.Finding{}
	for _, f := range findings {
		all[f.Name] = f
		if bad := f.Status == doctor.Warn || f.Status == doctor.Fail; f.Group != "GitHub" || f.Found == "" || bad && (f.Why == "" || f.Fix == "") {
			t.Errorf("%+v", f)
		}
	}
	return all
}

// optional are the permissions of the parts that can be switched off.
func optional() map[string]ghapp.Optional {
	return map[string]ghapp.Optional{"checks": {Level: "write", For: "check runs"}, "deployments": {Level: "write", For: "environments"}}
}

// exact is an App as Catalyst needs it.
func exact() fakegithub.AppOptions {
	n := ghapp.AppNeeds()
	for name, o := range optional() {
		n.Permissions[name] = o.Level
	}
	return fakegithub.AppOptions{Permissions: n.Permissions, Events: n.Events, WebhookURL: hookURL, WebhookSecret: "s"}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	got := examine(t, exact(), nil)
	for _, name := range []string{"credentials", "clock", "permissions", "events", "webhook", "repository acme/web"} {
		if f := got[name]; f.Status != doctor.OK {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestChecksFail: each thing that can be wrong with an App is told, and only what follows from it besides.
func TestChecksFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options func(*fakegithub.AppOptions)
		change  func(*bundle)
		check   string
		status  doctor.Status
		found   string
	}{
		"a permission is missing": {
			options: func(o *fakegithub.AppOptions) {
				o.Permissions = map[string]string{"metadata": "read", "contents": "read", "pull_requests": "read"}
			},
			check: "permissions", status: doctor.Fail, found: "pull_requests:write",
		},
		"a permission that can be done without": {
			options: func(o *fakegithub.AppOptions) { delete(o.Permissions, "checks") },
			check:   "permissions", status: doctor.Warn, found: "checks:write for check runs",
		},
		"a permission too many": {
			options: func(o *fakegithub.AppOptions) {
				o.Permissions = map[string]string{"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "read", "checks": "write", "deployments": "write"}
			},
			check: "permissions", status: doctor.Warn, found: "contents:write",
		},
		"an event is missing": {
			options: func(o *fakegithub.AppOptions) { o.Events = []string{"push"} },
			check:   "events", status: doctor.Fail, found: "pull_request",
		},
		"the webhook is elsewhere": {
			options: func(o *fakegithub.AppOptions) { o.WebhookURL = "https://elsewhere.example.com/webhooks/github" },
			check:   "webhook", status: doctor.Fail, found: "elsewhere",
		},
		"the webhook has no secret": {
			options: func(o *fakegithub.AppOptions) { o.WebhookSecret = "" },
			check:   "webhook", status: doctor.Fail, found: "no secret",
		},
		"the webhook sends forms": {
			change: func(b *bundle) { b.app.SetFormContentType(true) },
			check:  "webhook", status: doctor.Fail, found: "form",
		},
		"there is no webhook": {
			options: func(o *fakegithub.AppOptions) { o.WebhookURL = "" },
			check:   "webhook", status: doctor.Fail, found: "no webhook",
		},
		"not installed": {
			change: func(b *bundle) { b.install.Delete() },
			check:  "repository acme/web", status: doctor.Fail, found: "not installed",
		},
		"suspended": {
			change: func(b *bundle) { b.install.Suspend() },
			check:  "repository acme/web", status: doctor.Fail, found: "suspended",
		},
		"the clock is ahead": {
			change: func(b *bundle) { b.clock.add(50 * time.Second) },
			check:  "clock", status: doctor.Fail, found: "ahead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := exact()
			if c.options != nil {
				c.options(&o)
			}
			got := examine(t, o, c.change)
			if f := got[c.check]; f.Status != c.status || !strings.Contains(f.Found, c.found) {
				t.Errorf("%+v; want %s, %q", f, c.status, c.found)
			}
			for other, f := range got {
				follows := other == "deliveries" || c.check == "permissions" && strings.HasPrefix(other, "repository") // no token without the permissions
				if other != c.check && f.Status == doctor.Fail && !follows {
					t.Errorf("%s fails, too: %+v", other, f)
				}
			}
		})
	}
}

// TestCheckOfAnotherKey: GitHub does not know who speaks.
func TestCheckOfAnotherKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.github.CreateApp(fakegithub.AppOptions{Slug: "other"}).KeyPEM()})
	got := byName(t, doctor.Run(t.Context(), client.Checks(ghapp.AppNeeds())))
	if f := got["credentials"]; f.Status != doctor.Fail || !strings.Contains(f.Found, "401") {
		t.Errorf("%+v", f)
	}
}

// TestCheckOfFailedDeliveries: GitHub's own word on whether it reaches Catalyst.
func TestCheckOfFailedDeliveries(t *testing.T) {
	t.Parallel()
	o := exact()
	o.WebhookURL = nowhere
	got := examine(t, o, func(b *bundle) {
		if err := b.github.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if f := got["deliveries"]; f.Status != doctor.Fail || !strings.Contains(f.Found, "failed") {
		t.Errorf("%+v", f)
	}
}

// TestCheckWithToken: what a token does not tell is said not to be checked.
func TestCheckWithToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.connect(t, ghapp.Options{Token: b.github.CreateUser("operator").Token()})
	got := byName(t, doctor.Run(t.Context(), client.Checks(ghapp.AppNeeds())))
	if f := got["credentials"]; f.Status != doctor.OK {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"permissions", "webhook", "deliveries"} {
		if f := got[name]; f.Status != doctor.Skip {
			t.Errorf("%+v", f)
		}
	}
	bad := b.connect(t, ghapp.Options{Token: "ghp_wrong"})
	if f := byName(t, doctor.Run(t.Context(), bad.Checks(ghapp.Needs{})))["credentials"]; f.Status != doctor.Fail {
		t.Errorf("%+v", f)
	}
}
