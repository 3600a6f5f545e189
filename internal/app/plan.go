package app

import (
	"context"
	"fmt"
	"net/url"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/worker"
)

// planner answers worker.Settings from the configuration.
type planner struct {
	config config.Config
	names  []string // of the configured repositories
	store  *store.Store
}

func newPlanner(c config.Config, s *store.Store) *planner {
	p := &planner{config: c, store: s}
	for _, r := range c.Repositories {
		p.names = append(p.names, r.Name)
	}
	return p
}

// confirm notes the repositories that the operator names by their ids.
func (s *planner) confirm(ctx context.Context) error {
	for _, r := range s.config.Repositories {
		if r.ID == 0 {
			continue
		}
		if err := s.store.Rebind(ctx, r.Name, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// Learn notes which repository a configured name stands for. preview.ErrConflict when that is another one.
func (s *planner) Learn(ctx context.Context, configured string, repositoryID int64) error {
	bound, err := s.store.Bind(ctx, configured, repositoryID)
	if err == nil && bound != repositoryID {
		err = fmt.Errorf("%s: it gets no previews. %s: %w", policy.TakenOver(configured, bound, repositoryID), policy.ConfirmTakenOver(repositoryID), preview.ErrConflict)
	}
	return err
}

// repository finds the configuration of the repository that the name stands for. The error is a *preview.Failure when there is none.
func (s *planner) repository(ctx context.Context, pr preview.PullRequest) (config.Repository, error) {
	bindings, err := s.store.Bindings(ctx, pr.Repository, pr.RepositoryID)
	if err != nil {
		return config.Repository{}, err
	}
	name, taken := policy.Configured(s.names, bindings, pr)
	if r, ok := s.config.Repository(name); ok {
		return r, nil
	}
	d := preview.Diagnosis{
		Code: preview.CodeConfig, Blame: preview.BlameConfig,
		Cause: fmt.Sprintf("repository %s is no longer configured", pr.Repository),
		Fix:   "Add it under `repositories` in the server's configuration.",
	}
	if taken != 0 {
		d.Cause, d.Fix = policy.TakenOver(pr.Repository, taken, pr.RepositoryID), policy.ConfirmTakenOver(pr.RepositoryID)
	}
	return config.Repository{}, preview.Fail(preview.ErrNotFound, d)
}

// access says whom the operator of the configured repository trusts.
func (s *planner) access(name string) policy.Access {
	r, _ := s.config.Repository(name)
	return policy.Access{Forks: policy.Forks(r.Forks), TrustedBots: r.TrustedBots}
}

// Plan fills the repository's templates in for one pull request.
func (s *planner) Plan(ctx context.Context, p preview.Preview) (worker.Plan, error) {
	r, err := s.repository(ctx, p.PullRequest)
	if err != nil {
		return worker.Plan{}, err
	}
	host, err := r.HostFor(p.PullRequest, p.Namespace)
	if err != nil {
		return worker.Plan{}, err
	}
	tag, err := r.ImageTag(p.PullRequest)
	if err != nil {
		return worker.Plan{}, err
	}
	trust := s.access(r.Name).Trust(p.PullRequest)
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
