package app

import (
	"strconv"
	"strings"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/ui"
)

// settings are the values of the configuration that count for the preview, and where each comes from. None of them is secret.
func settings(c config.Config, p preview.Preview) []ui.Setting {
	r, ok := c.Repository(p.Repository)
	if !ok {
		return nil
	}
	const own, all, standard = "this repository", "all repositories", "the default"
	from := func(value, forAll string) string {
		switch value {
		case "":
			return standard
		case forAll:
			return all
		}
		return own
	}
	var secrets []string
	for _, s := range r.Secrets {
		secrets = append(secrets, s.Name)
	}
	return []ui.Setting{
		{Name: "chart", Value: r.Chart, From: from(r.Chart, "")}, {Name: "values", Value: r.Values, From: from(r.Values, "")},
		{Name: "image.repository", Value: r.Image.Repository, From: from(r.Image.Repository, "")}, {Name: "image.tag", Value: r.Image.Tag, From: from(r.Image.Tag, "")},
		{Name: "host", Value: r.Host, From: from(r.Host, c.Preview.Host)}, {Name: "ingress_class", Value: r.IngressClass, From: from(r.IngressClass, c.Preview.IngressClass)},
		{Name: "issuer", Value: r.Issuer, From: from(r.Issuer, c.Preview.Issuer)}, {Name: "tls_secret", Value: r.TLSSecret, From: from(r.TLSSecret, c.Preview.TLSSecret)},
		{Name: "forks", Value: r.Forks, From: own}, {Name: "trusted_bots", Value: strings.Join(r.TrustedBots, ", "), From: own},
		{Name: "secrets", Value: strings.Join(secrets, ", "), From: own}, {Name: "preview.ready_timeout", Value: c.Preview.ReadyTimeout.String(), From: all},
		{Name: "limits.deployments", Value: strconv.Itoa(c.Limits.Deployments), From: all},
	}
}
