package api

import (
	"context"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/usage"
)

type resourcesInput struct {
	About
	Range string `query:"range" enum:"1h,24h" default:"1h" doc:"1h: as it was sampled, every 15 s. 24h: by the minute, the processor's mean and the memory's peak."`
}

// resources are what a preview uses.
func (a *api) resources() {
	register(a, get("get-resources", pull+"/resources", "Get what a preview uses of CPU and memory, and used", "previews"),
		func(ctx context.Context, in *resourcesInput) (*answer[client.Resources], error) {
			since := usage.FineFor
			if in.Range == "24h" {
				since = usage.CoarseFor
			}
			r, err := a.Resources.Of(ctx, access.Preview(ctx), since)
			if err != nil {
				return nil, cannot(err)
			}
			return ok(encodeResources(r)), nil
		})
}

func encodeResources(r usage.Report) client.Resources {
	out := client.Resources{Note: r.Note, Total: encodeUse(r.Total), Pods: []client.PodUse{}, Quota: []client.Bound{}, Marks: []client.Mark{}}
	for _, p := range r.Pods {
		out.Pods = append(out.Pods, client.PodUse{
			Pod: p.Pod, Phase: p.Phase, Requests: encodeAmount(p.Requests), Limits: encodeAmount(p.Limits), Restarts: p.Restarts, Use: encodeUse(p.Points),
		})
	}
	for _, b := range r.Quota {
		out.Quota = append(out.Quota, client.Bound{Name: b.Name, Used: b.Used, Hard: b.Hard, Part: b.Part})
	}
	for _, m := range r.Marks {
		out.Marks = append(out.Marks, client.Mark{At: m.At, Kind: string(m.Kind), Text: m.Text})
	}
	return out
}

func encodeUse(points []usage.Point) []client.Use {
	out := make([]client.Use, len(points))
	for i, p := range points {
		out[i] = client.Use{At: p.At, Amount: encodeAmount(p.Amount)}
	}
	return out
}

func encodeAmount(a cluster.Amount) client.Amount { return client.Amount{CPU: a.CPU, Memory: a.Memory} }
