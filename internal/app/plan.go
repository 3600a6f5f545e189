package app

import (
	"fmt"
	"net/url"
	"sync"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
)

// planner answers worker.Settings from the configuration.
type planner struct {
	config config.Config

	mu    sync.Mutex
	names map[int64]string // configured name by repository id, as learnt from GitHub
}

// Learn notes which repository a configured name stands for.
func (s *planner) Learn(configured string, repositoryID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[repositoryID] = configured
}

func (s *planner) knows(repositoryID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[repositoryID] != ""
}

// repository finds the configuration by the repository's name, or by the name it was configured under before it was renamed.
func (s *planner) repository(pr preview.PullRequest) (config.Repository, bool) {
	if r, ok := s.config.Repository(pr.Repository); ok {
		return r, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Repository(s.names[pr.RepositoryID])
}

// access says whom the repository's operator trusts; nobody in one that is not configured.
func (s *planner) access(pr preview.PullRequest) policy.Access {
	r, _ := s.repository(pr)
	return policy.Access{Forks: policy.Forks(r.Forks), TrustedBots: r.TrustedBots}
}

// Plan fills the repository's templates in for one pull request.
func (s *planner) Plan(p preview.Preview) (worker.Plan, error) {
	r, ok := s.repository(p.PullRequest)
	if !ok {
		return worker.Plan{}, preview.Fail(preview.ErrNotFound, preview.Diagnosis{
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
	trust := s.access(p.PullRequest).Trust(p.PullRequest)
	return worker.Plan{
		Trust: trust,
		Host:  host,
		Chart: chart.Spec{ChartPath: r.Chart, ValuesFile: r.Values},
		Values: chart.ValuesInput{
			Base: s.config.Preview.Values, ImageRepository: r.Image.Repository, ImageTag: tag, Host: host,
			IngressClass: r.IngressClass, Issuer: r.Issuer, TLSSecret: r.TLSSecret, Number: p.Number, Branch: p.Branch,
		},
		Guards:  guards(s.config.Preview, r, host, trust),
		Secrets: secrets(r, p),
		URL:     s.url,
	}, nil
}

// secrets are the copies that the preview gets. A copied secret is a disclosed secret: whoever controls the chart can read it. So a pull request
// from elsewhere gets only what was expressly given to forks.
func secrets(r config.Repository, p preview.Preview) []cluster.SecretCopy {
	var copies []cluster.SecretCopy
	for _, s := range r.Secrets {
		if s.Forks || p.Trust() == preview.TrustOwn {
			copies = append(copies, cluster.SecretCopy{Name: s.Name, From: s.From, Pull: s.Pull})
		}
	}
	return copies
}

// url is the address people open for the one read back from the cluster: its host under the configured scheme and port,
// since what terminates TLS may stand in front of the Ingress.
func (s *planner) url(applied string) string {
	u, err := url.Parse(applied)
	if err != nil {
		return applied
	}
	return s.config.Preview.URL(u.Hostname())
}
