package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

// operations look at Catalyst itself.
func (a *api) operations() {
	a.deliveries()
	register(a, get("get-queue", base+"/queue", "Get what is being deployed and what waits in line", "operations"),
		func(ctx context.Context, _ *struct{}) (*answer[client.Queue], error) {
			out, err := a.queue(ctx)
			return ok(out), err
		})
	register(a, get("run-doctor", base+"/doctor", "Check everything that Catalyst stands on", "operations"),
		func(ctx context.Context, _ *struct{}) (*answer[client.Findings], error) {
			found := a.Doctor(ctx)
			out := client.Findings{Findings: []client.Finding{}, Worst: string(doctor.Worst(found))}
			for _, f := range found {
				out.Findings = append(out.Findings, client.Finding{Group: f.Group, Name: f.Name, Status: string(f.Status), Found: f.Found, Why: f.Why, Fix: f.Fix})
			}
			return ok(out), nil
		})
	register(a, get("list-audit", base+"/audit", "List who did what, the newest first", "operations"),
		func(ctx context.Context, in *struct {
			Page
			Subject string `query:"subject" maxLength:"200" doc:"Only about this: OWNER/NAME#NUMBER, or the id of a delivery or a token."`
		}) (*answer[client.Record], error) {
			list, err := a.Store.Audit(ctx, in.Subject, in.Cursor, in.Limit+1)
			out := client.Record{Audit: []client.Audit{}}
			if len(list) > in.Limit {
				list = list[:in.Limit]
				out.Next = list[in.Limit-1].ID
			}
			for _, l := range list {
				out.Audit = append(out.Audit, client.Audit{
					ID: l.ID, At: l.At, Actor: l.Actor, UserID: l.UserID, Via: l.Via, Action: l.Action, Subject: l.Subject, Outcome: l.Outcome, Detail: l.Detail,
				})
			}
			return ok(out), err
		})
}

type deliveriesInput struct {
	Page
	Repository string `query:"repository" maxLength:"200" doc:"Full name, OWNER/NAME."`
	Outcome    string `query:"outcome" enum:"accepted,duplicate,ignored"`
}

type deliveryInput struct {
	ID string `path:"id"`
}

func (a *api) deliveries() {
	register(a, get("list-deliveries", base+"/deliveries", "List webhook deliveries with the reasons of those that were ignored, the newest first", "operations"),
		func(ctx context.Context, in *deliveriesInput) (*answer[client.Deliveries], error) {
			list, err := a.Store.SearchDeliveries(ctx, store.DeliveryFilter{
				Repository: in.Repository, Outcome: preview.DeliveryOutcome(in.Outcome), Before: in.Cursor, Limit: in.Limit + 1,
			})
			out := client.Deliveries{Deliveries: []client.Delivery{}}
			if len(list) > in.Limit {
				list = list[:in.Limit]
				out.Next = list[in.Limit-1].ID
			}
			for _, d := range list {
				out.Deliveries = append(out.Deliveries, encodeDelivery(d))
			}
			return ok(out), err
		})
	register(a, get("get-delivery", base+"/deliveries/{id}", "Get a webhook delivery", "operations"),
		func(ctx context.Context, in *deliveryInput) (*answer[client.Delivery], error) {
			d, err := a.Store.Delivery(ctx, in.ID)
			return ok(encodeDelivery(d)), err
		})
	replay := get("replay-delivery", base+"/deliveries/{id}/replay", "Have a delivery looked at once more, as if it had just come", "operations")
	replay.Method = "POST"
	register(a, replay, func(ctx context.Context, in *deliveryInput) (*answer[client.Replayed], error) {
		d, err := a.Store.Delivery(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		decision, err := a.Replay(ctx, d)
		return ok(client.Replayed{Outcome: string(decision.Outcome), Reason: decision.Reason}), err
	})
}

// jobs is how many jobs are shown.
const jobs = 200

// queue is what the one who asks may see of the line; operators see the jobs, too.
func (a *api) queue(ctx context.Context) (client.Queue, error) {
	out := client.Queue{Deploying: []client.Preview{}, Waiting: []client.Preview{}}
	all, err := a.Store.Unfinished(ctx)
	if err != nil {
		return out, err
	}
	names := map[string]string{}
	for _, p := range all {
		names[p.ID] = p.Ref()
	}
	inLine := slices.DeleteFunc(all, func(p preview.Preview) bool {
		return p.Status != preview.StatusDeploying && p.Status != preview.StatusQueued && p.Status != preview.StatusDeleting
	})
	may, err := a.Access.Filter(ctx, access.From(ctx), inLine)
	if err != nil {
		return out, err
	}
	for _, p := range may {
		shown, err := a.withLine(ctx, p)
		if err != nil {
			return out, err
		}
		if p.Status == preview.StatusQueued {
			out.Waiting = append(out.Waiting, shown)
		} else {
			out.Deploying = append(out.Deploying, shown)
		}
	}
	slices.SortStableFunc(out.Waiting, func(x, y client.Preview) int { return place(x) - place(y) })
	slices.SortStableFunc(out.Deploying, func(x, y client.Preview) int { return strings.Compare(x.Repository, y.Repository) })
	if !a.Access.Operator(access.From(ctx)) {
		return out, nil
	}
	waiting, err := a.Store.WaitingJobs(ctx, jobs)
	for _, j := range waiting {
		name := names[j.PreviewID]
		if name == "" && j.PreviewID != "" {
			p, readErr := a.Store.Preview(ctx, j.PreviewID)
			err = errors.Join(err, readErr)
			name = p.Ref()
		}
		out.Jobs = append(out.Jobs, client.Job{Kind: string(j.Kind), Preview: name, DueAt: j.DueAt, Attempt: j.Attempt, Holder: j.Holder, LastError: j.LastError})
	}
	return out, err
}

func place(p client.Preview) int {
	if p.Waiting == nil {
		return 0
	}
	return p.Waiting.Position
}
