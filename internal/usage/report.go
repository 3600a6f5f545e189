package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// Inside tells what a preview's pods asked for.
type Inside interface {
	Plans(ctx context.Context, id cluster.Identity) ([]cluster.PodPlan, error)
	QuotaUse(ctx context.Context, namespace string) ([]cluster.QuotaLine, error)
}

// Deployments tells when a preview was deployed.
type Deployments interface {
	Deployments(ctx context.Context, previewID string, limit int) ([]preview.Deployment, error)
}

// Reporter puts together what is known of one preview.
type Reporter struct {
	Sampler     *Sampler
	Inside      Inside
	Deployments Deployments
}

// Report is what a preview uses, used and may use.
type Report struct {
	Note  string // why nothing is known, or nothing new; usually empty
	Total []Point
	Pods  []Pod // those that are there first
	Quota []cluster.QuotaLine
	Marks []Mark // the oldest first
}

// Pod is one with what it used. A pod that is gone has no phase.
type Pod struct {
	cluster.PodPlan
	Points []Point
}

// MarkKind says what happened.
type MarkKind string

// The kinds of marks.
const (
	MarkDeploy  MarkKind = "deploy"
	MarkRestart MarkKind = "restart"
)

// Mark is something that happened at a time.
type Mark struct {
	At   time.Time
	Kind MarkKind
	Text string
}

// markedDeployments is how many deployments are marked at most.
const markedDeployments = 20

// gone is said of a preview in whose namespace nothing can be seen any more.
const gone = "The preview has no namespace now, so it uses nothing."

// Of reports on the preview, for so long back. A namespace that is not there is no error: what was counted before is told.
func (r *Reporter) Of(ctx context.Context, p preview.Preview, since time.Duration) (Report, error) {
	past, note := r.Sampler.Past(p.Namespace, since)
	out := Report{Note: note, Total: past.Total}
	plans, err := r.inside(ctx, p, &out)
	if err != nil {
		return out, err
	}
	for _, plan := range plans {
		out.Pods = append(out.Pods, Pod{PodPlan: plan})
	}
	for _, one := range past.Pods {
		i := slices.IndexFunc(out.Pods, func(pod Pod) bool { return pod.Pod == one.Pod })
		if i < 0 {
			i = len(out.Pods)
			out.Pods = append(out.Pods, Pod{PodPlan: cluster.PodPlan{Pod: one.Pod}})
		}
		out.Pods[i].Points = one.Points
	}
	deployments, err := r.Deployments.Deployments(ctx, p.ID, markedDeployments)
	out.Marks = marks(deployments, plans, r.Sampler.now().Add(-since))
	return out, err
}

// inside reads what can be read in the namespace. A quota that cannot be read is left out.
func (r *Reporter) inside(ctx context.Context, p preview.Preview, out *Report) ([]cluster.PodPlan, error) {
	if p.NamespaceUID == "" {
		out.Note = gone
		return nil, nil
	}
	plans, err := r.Inside.Plans(ctx, cluster.Identity{Namespace: p.Namespace, UID: p.NamespaceUID, Key: p.Key, Repository: p.Repository})
	if errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrConflict) {
		out.Note = gone
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if lines, err := r.Inside.QuotaUse(ctx, p.Namespace); err == nil {
		out.Quota = lines
	}
	return plans, nil
}

func marks(deployments []preview.Deployment, plans []cluster.PodPlan, since time.Time) []Mark {
	var all []Mark
	for _, d := range deployments {
		all = append(all, Mark{d.StartedAt, MarkDeploy, preview.ShortSHA(d.SHA) + " deployed"})
	}
	for _, p := range plans {
		for _, e := range p.Ends {
			if e.Reason == "Completed" && p.Restarts == 0 {
				continue // an init container or a job that did what it was there for
			}
			all = append(all, Mark{e.At, MarkRestart, fmt.Sprintf("%s/%s ended: %s, exit code %d", p.Pod, e.Container, e.Reason, e.ExitCode)})
		}
	}
	all = slices.DeleteFunc(all, func(m Mark) bool { return m.At.Before(since) })
	slices.SortStableFunc(all, func(a, b Mark) int { return a.At.Compare(b.At) })
	return all
}
