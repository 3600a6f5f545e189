package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

const domainGroup = "preview domain"

// Resolver finds the addresses of a host; net.DefaultResolver.LookupHost is one.
type Resolver func(ctx context.Context, host string) ([]string, error)

// DNS checks that every name under the domain resolves, by one that nobody can have made.
func DNS(domain string, resolve Resolver) Check {
	return One(domainGroup, "wildcard DNS", func(ctx context.Context) Finding {
		if isLocal(domain) {
			return Finding{Status: OK, Found: "*." + domain + " is this machine"}
		}
		host := "pr-" + strings.ToLower(rand.Text()[:10]) + "." + domain
		addresses, err := resolve(ctx, host)
		if err != nil || len(addresses) == 0 {
			found := "*." + domain + " does not resolve"
			if err != nil {
				found += ": " + err.Error()
			}
			return Finding{
				Status: Fail, Found: found, Why: "The addresses of previews would lead nowhere.",
				Fix: fmt.Sprintf("Make a DNS record *.%s that points to the ingress controller's address (kubectl get service -A shows it).", domain),
			}
		}
		return Finding{Status: OK, Found: fmt.Sprintf("*.%s is %s", domain, strings.Join(addresses, ", "))}
	})
}

// Apart checks that previews cannot meddle with Catalyst's own pages: programs of strangers answer under the preview domain, and browsers let pages of one
// registrable domain set each other's cookies.
func Apart(domain, publicURL string) Check {
	return One(domainGroup, "apart from Catalyst's own", func(context.Context) Finding {
		u, err := url.Parse(publicURL)
		if err != nil || u.Hostname() == "" {
			return Finding{Status: Skip, Found: "not checked: public_url is not set"}
		}
		own := strings.ToLower(u.Hostname())
		const why = "Whoever opens a pull request writes what previews serve; such a page could act in Catalyst's name in a browser."
		switch {
		case own == domain || strings.HasSuffix(own, "."+domain):
			return Finding{
				Status: Fail, Found: own + " is under the preview domain " + domain,
				Why: why + " A preview could even take that name.", Fix: "Set public_url or preview.domain to another domain.",
			}
		case isLocal(domain) || isLocal(own) || net.ParseIP(own) != nil || registrable(own) != registrable(domain):
			return Finding{Status: OK, Found: fmt.Sprintf("%s and %s have nothing in common", domain, own)}
		}
		return Finding{
			Status: Warn, Found: fmt.Sprintf("%s and %s are both under %s", domain, own, registrable(domain)),
			Why: why, Fix: "Give previews a domain of their own, as github.io is for github.com.",
		}
	})
}

// registrable is the part of a name that somebody registered: example.co.uk of a.b.example.co.uk.
func registrable(host string) string {
	name, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return name
}

func isLocal(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// Reach checks that a web server answers at all, whatever it answers, and what time it is there.
func Reach(group, name, address string, now func() time.Time) Check {
	return Check{Group: group, Name: name, Run: func(ctx context.Context) []Finding {
		f := Finding{Group: group, Name: name, Why: "Catalyst reads pull requests there and writes comments.", Fix: "Let this machine reach " + address + ", directly or by HTTPS_PROXY."}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err == nil {
			var response *http.Response
			if response, err = http.DefaultClient.Do(request); err == nil {
				defer func() { _ = response.Body.Close() }()
				f = Finding{Group: group, Name: name, Status: OK, Found: fmt.Sprintf("%s answers %d", address, response.StatusCode)}
				return []Finding{f, Clock(group, response.Header, now())}
			}
		}
		f.Status, f.Found = Fail, err.Error()
		return []Finding{f}
	}}
}

const (
	offALittle = 10 * time.Second
	offTooMuch = 45 * time.Second // GitHub refuses an App that comes from the future, and Catalyst allows for a minute
)

// Clock compares the time here with that of an answer.
func Clock(group string, header http.Header, now time.Time) Finding {
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return Finding{Group: group, Name: "clock", Status: Skip, Found: "not checked: the answer has no date"}
	}
	return Skew(group, theirs, now)
}

// Skew compares the time here with the time there.
func Skew(group string, theirs, now time.Time) Finding {
	f := Finding{Group: group, Name: "clock", Status: OK}
	off := now.Sub(theirs).Round(time.Second)
	f.Found = "in step"
	if off.Abs() <= offALittle {
		return f
	}
	direction := "behind"
	if off > 0 {
		direction = "ahead"
	}
	f.Found = fmt.Sprintf("%s %s", off.Abs(), direction)
	f.Why, f.Fix = "Tokens are good for a time: with a wrong clock they are refused, or used after their end.", "timedatectl set-ntp true"
	if f.Status = Warn; off.Abs() > offTooMuch {
		f.Status = Fail
	}
	return f
}
