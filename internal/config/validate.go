package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/seal"
)

var (
	dnsName         = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	labelValue      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	repositoryName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	botLogin        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*\[bot\]$`)
	accountName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	imageRepository = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
)

const (
	maxName = 253
	longest = time.Hour // of any duration
)

// inherit fills in what depends on other keys.
func (c *Config) inherit() {
	if c.GitHub.APIURL != "" && !strings.HasSuffix(c.GitHub.APIURL, "/") {
		c.GitHub.APIURL += "/"
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.Preview.Host == "" {
		c.Preview.Host = "{{.Name}}." + c.Preview.Domain
	}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		r.Host = either(r.Host, c.Preview.Host)
		r.IngressClass = either(r.IngressClass, c.Preview.IngressClass)
		r.Issuer = either(r.Issuer, c.Preview.Issuer)
		r.TLSSecret = either(r.TLSSecret, c.Preview.TLSSecret)
		r.PodSecurity = either(r.PodSecurity, c.Preview.PodSecurity)
		for j := range r.Secrets {
			r.Secrets[j].From = either(r.Secrets[j].From, r.Secrets[j].Name)
		}
	}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// check notes a mistake when a value is given and ok is false.
func (l *loader) check(path, value string, ok bool, expected string) {
	if value != "" && !ok {
		l.wrong(path, shown(value), "expected "+expected)
	}
}

func (l *loader) oneOf(path, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	l.check(path, value, false, strings.Join(allowed[:len(allowed)-1], ", ")+" or "+allowed[len(allowed)-1])
}

func (l *loader) duration(path string, d, low time.Duration) {
	l.check(path, d.String(), d >= low && d <= longest, fmt.Sprintf("a duration from %s to %s", low, longest))
}

func (l *loader) kubernetesName(path, value string) {
	l.check(path, value, isDNS(value), "the name of a Kubernetes object (lower-case letters, digits, - and .)")
}

// validate checks every value by itself and the values against each other.
func (l *loader) validate(c Config) {
	_, port, err := net.SplitHostPort(c.Listen)
	n, portErr := strconv.Atoi(port)
	l.check("listen", c.Listen, err == nil && portErr == nil && n >= 0 && n <= 65535, `an address and a port like "127.0.0.1:8090" or ":8090"`)
	l.check("public_url", c.PublicURL, isWebURL(c.PublicURL), "a URL like https://catalyst.example.com (http only for loopback and *.localhost)")
	l.check("database", c.Database, isDatabase(c.Database), "the path of a SQLite file or a URL like postgres://user@host/name")
	l.check("instance", c.Instance, labelValue.MatchString(c.Instance), "a Kubernetes label value (at most 63 letters, digits, -, _ and .)")
	if _, err := seal.Parse(string(c.EncryptionKeys)); err != nil && c.EncryptionKeys != "" {
		l.wrong("encryption_keys", "", reason(err))
	}
	l.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	l.oneOf("log.format", c.Log.Format, "text", "json")
	l.oneOf("render.sandbox", c.Render.Sandbox, "required", "optional")
	l.gitHub(c.GitHub)
	l.kubernetesName("cluster.secrets_namespace", c.Cluster.SecretsNamespace)
	l.preview(c.Preview)
	l.check("limits.deployments", strconv.Itoa(c.Limits.Deployments), c.Limits.Deployments >= 1 && c.Limits.Deployments <= 100, "a whole number from 1 to 100")
	l.check("limits.previews", strconv.Itoa(c.Limits.Previews), c.Limits.Previews >= 0, "a whole number, 0 for no limit")
	l.check("limits.previews_per_repository", strconv.Itoa(c.Limits.PreviewsPerRepository), c.Limits.PreviewsPerRepository >= 0, "a whole number, 0 for no limit")
	l.check("worker.sweep_gone_percent", strconv.Itoa(c.Worker.SweepGone), c.Worker.SweepGone >= 0 && c.Worker.SweepGone <= 100, "a whole number from 0 to 100")
	l.duration("worker.sweep", c.Worker.Sweep, time.Second)
	l.duration("worker.health", c.Worker.Health, time.Second)
	l.duration("worker.lease", c.Worker.Lease, time.Second)
	l.duration("worker.poll", c.Worker.Poll, 10*time.Millisecond)
	l.access(c)
	l.check("kept.for", c.Kept.For.String(), c.Kept.For == 0 || c.Kept.For >= time.Minute && c.Kept.For <= 366*24*time.Hour, "a duration from 1m to 8784h, like 168h, or 0s for never")
	l.check("kept.megabytes", strconv.Itoa(c.Kept.Megabytes), c.Kept.Megabytes >= 1 && c.Kept.Megabytes <= 1024, "a whole number from 1 to 1024")
	l.receivers(c.Notifications)
	l.repositories(c)
}

// told are the words that a receiver may choose from.
var told = []string{"pending", "blocked", "queued", "deploying", "running", "degraded", "failed", "deleting", "deleted", "removal_stuck", "sweep_stopped"}

func (l *loader) receivers(list []Receiver) {
	seen := map[string]int{}
	for i, r := range list {
		at := fmt.Sprintf("notifications[%d]", i)
		if first, twice := seen[r.Name]; twice && r.Name != "" {
			l.wrong(at+".name", shown(r.Name), fmt.Sprintf("is the name of notifications[%d], too: give each its own", first))
		}
		seen[r.Name] = i
		if r.URL != "" && !isReceiver(string(r.URL)) {
			l.wrong(at+".url", "", "expected a URL like https://hooks.example.com/catalyst (http only for loopback and *.localhost)")
		}
		l.oneOf(at+".format", r.Format, "json", "slack")
		if r.Format == "json" && r.Secret == "" {
			l.wrong(at+".secret", "", "must be set for the format json: without it nobody can tell a notification from a forged one")
		}
		for j, word := range r.Only {
			l.oneOf(fmt.Sprintf("%s.only[%d]", at, j), word, told...)
		}
	}
}

// minToken is the least length of the token of operators: it is not asked for slowly, so it must be hard to guess.
const minToken = 32

func (l *loader) access(c Config) {
	for i, o := range c.Access.Operators {
		l.check(fmt.Sprintf("access.operators[%d]", i), o, accountName.MatchString(o), "a login on GitHub, or the numeric id of an account")
	}
	if t := c.Access.OperatorToken; t != "" && len(t) < minToken {
		l.wrong("access.operator_token", "", fmt.Sprintf("expected at least %d characters: `openssl rand -hex 32` makes one", minToken))
	}
	switch {
	case c.Access.GitHubClientID == "" && c.Access.GitHubClientSecret == "":
	case c.Access.GitHubClientID == "":
		l.wrong("access.github_client_id", "", "must be set when access.github_client_secret is: it stands on the App's settings page")
	case c.Access.GitHubClientSecret == "":
		l.wrong("access.github_client_secret", "", "must be set when access.github_client_id is: make one on the App's settings page")
	case c.PublicURL == "":
		l.wrong("public_url", "", "must be set when people sign in with GitHub: that is where GitHub sends them back to")
	}
	l.oidc(c.Access.OIDC, c.PublicURL)
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); c.Access.LoginLink && err == nil && !isLocal(host) && (ip == nil || !ip.IsLoopback()) {
		l.wrong("access.login_link", "", "is for a listen address on loopback only: whoever reads the log could use the link")
	}
}

func (l *loader) oidc(o OIDC, publicURL string) {
	if o.Issuer == "" {
		if o.ClientID != "" || o.ClientSecret != "" || len(o.Operators)+len(o.OperatorGroups)+len(o.ViewerGroups) > 0 {
			l.wrong("access.oidc.issuer", "", "must be set when anything else of access.oidc is: nobody signs in without it")
		}
		return
	}
	l.check("access.oidc.issuer", o.Issuer, isWebURL(o.Issuer), "a URL like https://accounts.example.com (http only for loopback and *.localhost)")
	for key, missing := range map[string]bool{"access.oidc.client_id": o.ClientID == "", "access.oidc.client_secret": o.ClientSecret == "", "public_url": publicURL == ""} {
		if missing {
			l.wrong(key, "", "must be set when access.oidc.issuer is")
		}
	}
	if len(o.Operators)+len(o.OperatorGroups)+len(o.ViewerGroups) == 0 {
		l.wrong("access.oidc.viewer_groups", "", "name somebody here, in operator_groups or in operators: otherwise whoever signs in there may do nothing")
	}
}

func (l *loader) gitHub(g GitHub) {
	l.check("github.api_url", g.APIURL, isWebURL(g.APIURL), "a URL like https://api.github.com/ (http only for loopback and *.localhost)")
	l.check("github.app_id", strconv.FormatInt(g.AppID, 10), g.AppID >= 0, "the App's id, a positive number")
	switch app := g.AppID != 0 || g.PrivateKey != ""; {
	case app && g.Token != "":
		l.wrong("github.token", "", "set together with github.app_id or github.private_key: work as an App or with a token, not both")
	case !app && g.Token == "":
		l.wrong("github.app_id", "", "must be set, with github.private_key (or else github.token): without one of them Catalyst cannot talk to GitHub")
	case app && g.PrivateKey == "":
		l.wrong("github.private_key", "", "must be set when github.app_id is: the PEM file that GitHub gave for the App")
	case app && g.AppID == 0:
		l.wrong("github.app_id", "", "must be set when github.private_key is: the number on the App's settings page")
	case app && !isRSAKey(string(g.PrivateKey)):
		l.wrong("github.private_key", "", "expected an RSA private key in PEM form (-----BEGIN RSA PRIVATE KEY-----)")
	}
	if g.WebhookSecretPrevious != "" && g.WebhookSecretPrevious == g.WebhookSecret {
		l.wrong("github.webhook_secret_previous", "", "is the same as github.webhook_secret: leave it out when no change is under way")
	}
}

func (l *loader) preview(p Preview) {
	l.check("preview.domain", p.Domain, isDNS(p.Domain) && len(p.Domain) < maxName-63, "a domain name like preview.example.com")
	l.oneOf("preview.scheme", p.Scheme, "http", "https")
	if p.Scheme == "http" && p.Domain != "" && !isLocal(p.Domain) {
		l.wrong("preview.scheme", `"http"`, "expected https: http is for the domain localhost and *.localhost only")
	}
	l.check("preview.url_port", strconv.Itoa(p.URLPort), p.URLPort >= 0 && p.URLPort <= 65535, "a port from 1 to 65535, or 0 for none")
	l.kubernetesName("preview.ingress_class", p.IngressClass)
	l.kubernetesName("preview.issuer", p.Issuer)
	l.kubernetesName("preview.tls_secret", p.TLSSecret)
	if p.Issuer != "" && p.TLSSecret == "" {
		l.wrong("preview.tls_secret", "", "must be set when preview.issuer is: cert-manager puts the certificate there")
	}
	l.duration("preview.ready_timeout", p.ReadyTimeout, time.Second)
	l.guards(p)
	if isDNS(p.Domain) {
		l.hostTemplate("preview.host", Repository{Name: "acme/web", Host: p.Host})
	}
}

func (l *loader) repositories(c Config) {
	names, hosts := map[string]int{}, map[string]int{}
	for i, r := range c.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		l.check(at+".name", r.Name, repositoryName.MatchString(r.Name), "OWNER/NAME as on GitHub")
		if first, twice := names[strings.ToLower(r.Name)]; twice && r.Name != "" {
			l.wrong(at+".name", shown(r.Name), fmt.Sprintf("is the same repository as repositories[%d]: leave one out", first))
			continue
		}
		names[strings.ToLower(r.Name)] = i
		l.check(at+".id", strconv.FormatInt(r.ID, 10), r.ID >= 0, "the repository's id on GitHub, a positive number")
		inRepository := "a path inside the repository, without .. and without a leading /"
		l.check(at+".chart", r.Chart, isInside(r.Chart), inRepository)
		l.check(at+".values", r.Values, isInside(r.Values), inRepository)
		l.oneOf(at+".forks", r.Forks, "approve", "deploy", "never")
		for j, login := range r.TrustedBots {
			l.check(fmt.Sprintf("%s.trusted_bots[%d]", at, j), login, botLogin.MatchString(login), "the login of an App, which ends in [bot], like renovate[bot]")
		}
		l.check(at+".image.repository", r.Image.Repository, imageRepository.MatchString(r.Image.Repository), "an image without a tag, like ghcr.io/acme/web")
		if _, err := r.ImageTag(sample("acme/web", 7)); err != nil {
			l.wrong(at+".image.tag", shown(r.Image.Tag), "expected a template of {{.SHA}}, {{.ShortSHA}}, {{.Number}} and {{.Branch}} that gives a tag: "+reason(err))
		}
		if r.IngressClass != c.Preview.IngressClass {
			l.kubernetesName(at+".ingress_class", r.IngressClass)
		}
		if r.PodSecurity != c.Preview.PodSecurity {
			l.oneOf(at+".pod_security", r.PodSecurity, podSecurityLevels...)
		}
		if r.Issuer != c.Preview.Issuer {
			l.kubernetesName(at+".issuer", r.Issuer)
		}
		if r.TLSSecret != c.Preview.TLSSecret {
			l.kubernetesName(at+".tls_secret", r.TLSSecret)
		}
		if r.Issuer != "" && r.TLSSecret == "" && c.Preview.Issuer == "" {
			l.wrong(at+".tls_secret", "", "must be set when issuer is: cert-manager puts the certificate there")
		}
		l.secrets(at, r.Secrets, c.Cluster)
		if !isDNS(c.Preview.Domain) || r.Host != c.Preview.Host && !l.hostTemplate(at+".host", r) {
			continue
		}
		host, err := r.HostFor(sample(r.Name, 7), fmt.Sprintf("pr-%d-7", i))
		if first, twice := hosts[host]; twice && err == nil {
			l.wrong(at+".host", shown(r.Host), fmt.Sprintf("gives the same host as repositories[%d]: use {{.Name}} or {{.Repo}}", first))
			continue
		}
		hosts[host] = i
	}
}

// secrets checks what a repository's previews get. It stands before the host, whose check ends the look at a repository.
func (l *loader) secrets(at string, list []SecretCopy, cluster Cluster) {
	if len(list) > 0 && cluster.Kubeconfig != "" && cluster.SecretsNamespace == "" {
		l.wrong("cluster.secrets_namespace", "", "must be set when Catalyst runs outside of the cluster and a repository has secrets: the namespace they are in")
	}
	names := map[string]int{}
	for i, s := range list {
		here := fmt.Sprintf("%s.secrets[%d]", at, i)
		l.kubernetesName(here+".name", s.Name)
		if s.From != s.Name {
			l.kubernetesName(here+".from", s.From)
		}
		if first, twice := names[s.Name]; twice && s.Name != "" {
			l.wrong(here+".name", shown(s.Name), fmt.Sprintf("is the name of secrets[%d], too: give each copy its own", first))
		}
		names[s.Name] = i
	}
}

func isDNS(s string) bool { return len(s) <= maxName && dnsName.MatchString(s) }

func isLocal(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// isWebURL is S11: https, or http for hosts that are this machine.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (isLocal(u.Hostname()) || ip != nil && ip.IsLoopback())
}

// isReceiver is isWebURL with a query: many receivers have their token there.
func isReceiver(s string) bool {
	plain, _, _ := strings.Cut(s, "?")
	return isWebURL(plain)
}

func isURL(s string) bool { return strings.Contains(s, "://") }

func isDatabase(s string) bool {
	if !isURL(s) {
		return true
	}
	scheme, _, _ := strings.Cut(s, "://")
	u, err := url.Parse(s)
	// The host may be the directory of a Unix socket, which stands in the query.
	return err == nil && (u.Host != "" || u.Query().Get("host") != "") && (scheme == "postgres" || scheme == "postgresql")
}

// isInside reports whether s is a clean relative path that stays inside its root.
func isInside(s string) bool {
	return filepath.IsLocal(s) && path.Clean(s) == strings.TrimSuffix(s, "/") && !strings.Contains(s, `\`)
}

func isRSAKey(s string) bool {
	block, _ := pem.Decode([]byte(s))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, isRSA := parsed.(*rsa.PrivateKey)
	return err == nil && isRSA
}
