package app

import (
	"fmt"
	"net/url"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
)

// planner answers worker.Settings from the configuration.
type planner struct{ config config.Config }

// Plan fills the repository's templates in for one pull request.
func (s planner) Plan(p preview.Preview) (worker.Plan, error) {
	r, ok := s.config.Repository(p.Repository)
	if !ok {
		return worker.Plan{}, preview.Fail(nil, preview.Diagnosis{
			Code: preview.CodeConfig, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("repository %s is no longer configured", p.Repository),
			Fix:   "Add it under `repositories` in the server's configuration.",
		})
	}
	host, err := r.HostFor(p.PullRequest, p.Namespace)
	if err != nil {
		return worker.Plan{}, err
	}
	tag, err := r.ImageTag(p.PullRequest)
	if err != nil {
		return worker.Plan{}, err
	}
	return worker.Plan{
		Host:  host,
		Chart: chart.Spec{ChartPath: r.Chart, ValuesFile: r.Values},
		Values: chart.ValuesInput{
			Base: s.config.Preview.Values, ImageRepository: r.Image.Repository, ImageTag: tag, Host: host,
			IngressClass: r.IngressClass, Issuer: r.Issuer, TLSSecret: r.TLSSecret, Number: p.Number, Branch: p.Branch,
		},
		URL: s.url,
	}, nil
}

// url is the address people open for the one read back from the cluster: its host under the configured scheme and port,
// since what terminates TLS may stand in front of the Ingress.
func (s planner) url(applied string) string {
	u, err := url.Parse(applied)
	if err != nil {
		return applied
	}
	return s.config.Preview.URL(u.Hostname())
}
