// Package config is the server's configuration: one YAML file, overridden key by key by environment variables, read once
// at the start and checked as a whole, so that every mistake is told at once.
//
// It reads files and nothing else: it must not open a network connection, a database or a cluster. The reference of all
// keys (Reference) and the names of the variables come from the struct tags below and from nowhere else.
package config

import (
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config is a checked configuration: Load never returns one with a mistake in it. Its text form hides the secrets.
type Config struct {
	Listen         string       `key:"listen" default:"127.0.0.1:8090" doc:"Address and port on which Catalyst listens."`
	PublicURL      string       `key:"public_url" doc:"URL under which people reach Catalyst, for links in comments. https, or http for loopback and *.localhost."`
	Database       string       `key:"database" default:"catalyst.db" doc:"Path of a SQLite file, or a postgres:// URL."`
	EncryptionKeys Secret       `key:"encryption_keys" file:"true" doc:"Keys that encrypt what the database keeps of others' secrets: one a line as catalyst keys new prints it, the one in use first. Unset: stored as it is."`
	Instance       string       `key:"instance" default:"default" doc:"Label value of the namespaces that this Catalyst owns. Two Catalysts in one cluster need two values."`
	Log            Log          `key:"log"`
	GitHub         GitHub       `key:"github"`
	Cluster        Cluster      `key:"cluster"`
	Preview        Preview      `key:"preview"`
	Render         Render       `key:"render"`
	Limits         Limits       `key:"limits"`
	Worker         Worker       `key:"worker"`
	Access         Access       `key:"access"`
	Kept           Kept         `key:"kept"`
	Notifications  []Receiver   `key:"notifications" doc:"Who is told outside of GitHub what becomes of previews: docs/notifications.md."`
	Repositories   []Repository `key:"repositories" doc:"Repositories that get previews."`
}

// Log says how Catalyst logs. Logs go to standard error.
type Log struct {
	Level  string `key:"level" default:"info" doc:"Least important line that is logged: debug, info, warn or error."`
	Format string `key:"format" default:"text" doc:"text or json."`
}

// SlogLevel returns the level for log/slog.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // Load checked it
	return level
}

// GitHub says how Catalyst reaches GitHub: as an App (AppID and PrivateKey) or with a token (Token), never both.
type GitHub struct {
	APIURL                string `key:"api_url" default:"https://api.github.com/" doc:"Base URL of GitHub's REST API. GitHub Enterprise Server: https://HOST/api/v3/."`
	AppID                 int64  `key:"app_id" doc:"Id of the GitHub App. Needs private_key."`
	PrivateKey            Secret `key:"private_key" file:"true" doc:"Private key of the GitHub App, PEM."`
	Token                 Secret `key:"token" file:"true" doc:"Personal access token, instead of an App."`
	WebhookSecret         Secret `key:"webhook_secret" file:"true" required:"true" doc:"Secret that signs GitHub's webhooks."`
	WebhookSecretPrevious Secret `key:"webhook_secret_previous" file:"true" doc:"Second secret that is accepted while the secret is changed."`
	Checks                bool   `key:"checks" default:"true" doc:"Each commit gets a check run that says how its deployment ended. Needs an App with checks: write."`
	Deployments           bool   `key:"deployments" default:"true" doc:"Each preview is listed as an environment on GitHub, with its View deployment button. Needs deployments: write."`
}

// Host is the name of the GitHub instance as people know it: "github.com", or the server's own name.
func (g GitHub) Host() string {
	u, err := url.Parse(g.APIURL)
	if err != nil || u.Hostname() == "api.github.com" {
		return "github.com"
	}
	return u.Hostname()
}

// WebURL is the address of GitHub's pages, without a slash at the end.
func (g GitHub) WebURL() string {
	if g.Host() == "github.com" {
		return "https://github.com"
	}
	return strings.TrimSuffix(strings.TrimSuffix(g.APIURL, "/"), "/api/v3")
}

// WebhookSecrets returns the accepted webhook secrets, the current one first.
func (g GitHub) WebhookSecrets() [][]byte {
	secrets := [][]byte{[]byte(g.WebhookSecret)}
	if g.WebhookSecretPrevious != "" {
		secrets = append(secrets, []byte(g.WebhookSecretPrevious))
	}
	return secrets
}

// Cluster says which Kubernetes cluster runs the previews.
type Cluster struct {
	Kubeconfig       string `key:"kubeconfig" doc:"Path of a kubeconfig file. Unset: the cluster in which Catalyst runs."`
	SecretsNamespace string `key:"secrets_namespace" doc:"Namespace of the Secrets that previews get copies of. Unset: the one in which Catalyst runs."`
	ProbeImage       string `key:"probe_image" doc:"Catalyst's own image, with which it finds out at each start, by two pods in a namespace of their own, whether the cluster enforces NetworkPolicy. Unset: not found out."`
}

// Preview holds what previews of all repositories share.
type Preview struct {
	Domain       string         `key:"domain" required:"true" doc:"Domain under which previews answer. *.DOMAIN must lead to the ingress controller."`
	Scheme       string         `key:"scheme" default:"https" doc:"https, or http when domain is localhost or ends in .localhost."`
	URLPort      int            `key:"url_port" doc:"Port in the URLs of previews, for a local cluster. 0: none."`
	Host         string         `key:"host" doc:"Template of a preview's host: {{.Name}}, {{.Owner}}, {{.Repo}}, {{.Number}}, {{.Branch}}. Unset: {{.Name}}.DOMAIN, which reads pr-REPO-NUMBER.DOMAIN."`
	IngressClass string         `key:"ingress_class" doc:"Ingress class of previews. Unset: the cluster's default."`
	Issuer       string         `key:"issuer" doc:"cert-manager ClusterIssuer of the certificates of previews. Needs tls_secret."`
	TLSSecret    string         `key:"tls_secret" doc:"Secret with the certificate of a preview. Unset: the ingress controller's own certificate."`
	Values       map[string]any `key:"values" file:"true" doc:"Helm values under those of all repositories (YAML)."`
	ReadyTimeout time.Duration  `key:"ready_timeout" default:"3m" doc:"How long a deployment may take to become ready."`
	Gateway      string         `key:"gateway" doc:"NAMESPACE/NAME of the Gateway that routes of previews may be attached to. Unset: none, so that previews have no routes of the Gateway API."`
	PodSecurity  string         `key:"pod_security" default:"restricted" doc:"Pod Security level that previews are held to: restricted or baseline."`
	Guards       Guards         `key:"guards"`
}

// URL returns the address of a preview with the given host.
func (p Preview) URL(host string) string {
	if p.URLPort != 0 {
		host = net.JoinHostPort(host, strconv.Itoa(p.URLPort))
	}
	return p.Scheme + "://" + host
}

// Render says how charts are rendered: in a child process that is shut in, since their templates are foreign programs.
type Render struct {
	Sandbox string `key:"sandbox" default:"required" doc:"required: where the process that renders charts cannot be shut in, nothing is rendered. optional: it is rendered all the same; only where everybody who can open a pull request is trusted with this server."`
}

// Unconfined reports whether charts are rendered even outside of a sandbox.
func (r Render) Unconfined() bool { return r.Sandbox == "optional" }

// Worker says how jobs are run.
type Worker struct {
	Lease     time.Duration `key:"lease" default:"30s" doc:"How long a job belongs to a worker that gives no sign of life."`
	Poll      time.Duration `key:"poll" default:"2s" doc:"How often a worker looks for due jobs without being told."`
	Sweep     time.Duration `key:"sweep" default:"5m" doc:"Pause between two sweeps: all open pull requests against all previews and namespaces."`
	SweepGone int           `key:"sweep_gone_percent" default:"50" doc:"Share of all previews that may lose their pull request between two sweeps. Above it (and above 5) the sweep asks for none of them and raises an alarm."`
	Health    time.Duration `key:"health" default:"30s" doc:"Pause between two looks at the running previews."`
}

// Access says how people sign in, and who operates this Catalyst. What else somebody may do is what GitHub lets them do.
type Access struct {
	Operators          []string `key:"operators" doc:"Who may do everything here: logins on GitHub, or better the numeric ids of accounts, which do not change hands."`
	OperatorToken      Secret   `key:"operator_token" file:"true" doc:"A token that may do everything, for operators' scripts and the command line. At least 32 characters."`
	GitHubClientID     string   `key:"github_client_id" doc:"Client id of the GitHub App, with which people sign in. Needs github_client_secret and public_url. Unset: nobody signs in with GitHub."`
	GitHubClientSecret Secret   `key:"github_client_secret" file:"true" doc:"Client secret of the GitHub App."`
	OIDC               OIDC     `key:"oidc"`
	LoginLink          bool     `key:"login_link" doc:"At the start, write a link into the log that signs its first visitor in as an operator. Only while listen is a loopback address; for trying Catalyst out."`
}

// OIDC is a provider of OpenID Connect at which people without an account on GitHub sign in.
type OIDC struct {
	Issuer         string   `key:"issuer" doc:"Issuer of the provider of OpenID Connect, exactly as it names itself. Needs client_id, client_secret and public_url. Unset: nobody signs in there."`
	ClientID       string   `key:"client_id" doc:"Id under which the provider knows Catalyst. Its redirect URL is PUBLIC_URL/login/oidc/callback."`
	ClientSecret   Secret   `key:"client_secret" file:"true" doc:"Secret that goes with it."`
	Operators      []string `key:"operators" doc:"Who may do everything: e-mail addresses that the provider has verified, or better subjects (sub), which do not change."`
	GroupsClaim    string   `key:"groups_claim" default:"groups" doc:"Claim of the ID token that lists a person's groups."`
	OperatorGroups []string `key:"operator_groups" doc:"Groups whose members may do everything."`
	ViewerGroups   []string `key:"viewer_groups" doc:"Groups whose members may see all previews of all repositories, with their logs, and change nothing."`
}

// Kept says what is kept of failed and deleted previews on this process's disk: docs/kept.md.
type Kept struct {
	For       time.Duration `key:"for" default:"168h" doc:"How long the last logs and events of failed and deleted previews are kept on disk. 0s: not at all."`
	Directory string        `key:"directory" doc:"Where. Unset: kept, beside the SQLite file; with PostgreSQL nothing is kept then."`
	Megabytes int           `key:"megabytes" default:"10" doc:"The most that is kept of one preview, in MiB. What was kept first goes first."`
}

// Receiver is told what becomes of previews.
type Receiver struct {
	Name   string   `key:"name" required:"true" doc:"What it is called in the log."`
	URL    Secret   `key:"url" file:"true" required:"true" doc:"Where notifications are posted to: https, or http for loopback and *.localhost. No redirect is followed."`
	Secret Secret   `key:"secret" file:"true" doc:"Signs what is posted. Must be set for json."`
	Format string   `key:"format" default:"json" doc:"json, or slack for an incoming webhook of Slack's."`
	Only   []string `key:"only" doc:"Statuses of previews, removal_stuck and sweep_stopped that it is told. Unset: all."`
}

// Place is the directory; empty when nothing is kept.
func (c Config) Place() string {
	switch {
	case c.Kept.For == 0:
		return ""
	case c.Kept.Directory != "" || isURL(c.Database):
		return c.Kept.Directory
	}
	return filepath.Join(filepath.Dir(c.Database), "kept")
}

// Limits bound what runs at once. What does not fit waits in line.
type Limits struct {
	Deployments           int `key:"deployments" default:"8" doc:"Deployments at once, in all processes together."`
	Previews              int `key:"previews" doc:"Previews at once. 0: no limit."`
	PreviewsPerRepository int `key:"previews_per_repository" doc:"Previews at once of one repository. 0: no limit."`
}

// Repository is a repository that gets previews. After Load, the fields that are set for all previews (Host, IngressClass,
// Issuer, TLSSecret, PodSecurity) hold the value that applies.
type Repository struct {
	Name         string `key:"name" required:"true" doc:"OWNER/NAME on GitHub."`
	ID           int64  `key:"id" doc:"GitHub's id of the repository. Set: the name counts for this one, whichever had it before. Unset: for the first one that it led to."`
	Chart        string `key:"chart" doc:"Path of the Helm chart in the repository. Unset: the one chart found among chart, charts/*, deploy/chart, helm."`
	Values       string `key:"values" doc:"Path of a Helm values file in the repository, for previews."`
	Image        Image  `key:"image"`
	Host         string `key:"host" doc:"Instead of preview.host."`
	IngressClass string `key:"ingress_class" doc:"Instead of preview.ingress_class."`
	Issuer       string `key:"issuer" doc:"Instead of preview.issuer."`
	TLSSecret    string `key:"tls_secret" doc:"Instead of preview.tls_secret."`
	PodSecurity  string `key:"pod_security" doc:"Instead of preview.pod_security."`

	Forks       string   `key:"forks" default:"approve" doc:"Pull requests from forks: approve (each commit waits for somebody who may write to the repository), deploy (without asking; only where everybody who can fork it is trusted) or never."`
	TrustedBots []string `key:"trusted_bots" doc:"Logins of Apps whose branches in the repository are deployed without asking, like renovate[bot]. All others wait like forks."`

	Secrets []SecretCopy `key:"secrets" doc:"Secrets that its previews get copies of. Each must be marked for the repository, too: docs/secrets.md."`
}

// SecretCopy is a Secret that the previews of a repository get a copy of. After Load, From holds the name that applies.
type SecretCopy struct {
	Name  string `key:"name" required:"true" doc:"Name of the copy, as the chart refers to it."`
	From  string `key:"from" doc:"Name of the Secret in cluster.secrets_namespace. Unset: the same."`
	Pull  bool   `key:"pull" doc:"Pods that name no imagePullSecrets pull their images with it (kubernetes.io/dockerconfigjson)."`
	Forks bool   `key:"forks" doc:"Pull requests from forks get it, too. Whoever opened one can read it then."`
}

// Image says which image a preview runs.
type Image struct {
	Repository string `key:"repository" doc:"Image without tag, passed to the chart as image.repository. Unset: the chart's own."`
	Tag        string `key:"tag" default:"{{.SHA}}" doc:"Template of the image's tag: {{.SHA}}, {{.ShortSHA}}, {{.Number}}, {{.Branch}}."`
}

// Repository returns the configuration of the repository with this full name ("owner/name", in any case).
func (c Config) Repository(fullName string) (Repository, bool) {
	for _, r := range c.Repositories {
		if strings.EqualFold(r.Name, fullName) {
			return r, true
		}
	}
	return Repository{}, false
}
