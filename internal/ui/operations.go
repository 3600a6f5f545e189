package ui

import (
	"net/http"
	"net/url"
	"slices"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
)

// queueView is the line.
type queueView struct {
	Deploying []preview.Preview
	Waiting   []waitingView
}

type waitingView struct {
	preview.Preview
	preview.Waiting
}

func (u *ui) queue(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	all, err := u.Store.Unfinished(ctx)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	all = slices.DeleteFunc(all, func(p preview.Preview) bool {
		return p.Status != preview.StatusDeploying && p.Status != preview.StatusQueued && p.Status != preview.StatusDeleting
	})
	may, err := u.Access.Filter(ctx, access.From(ctx), all)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	var v queueView
	for _, p := range may {
		if p.Status != preview.StatusQueued {
			v.Deploying = append(v.Deploying, p)
			continue
		}
		place, _, err := u.Lifecycle.Waiting(ctx, p)
		if err != nil {
			u.fail(w, r, err)
			return
		}
		v.Waiting = append(v.Waiting, waitingView{p, place})
	}
	slices.SortStableFunc(v.Waiting, func(a, b waitingView) int { return a.Position - b.Position })
	u.show(w, r, "queue.html", view{Title: "Queue", Section: "queue", Live: "/live", Data: v})
}

// deliveriesView is a page of deliveries.
type deliveriesView struct {
	Deliveries []preview.Delivery
	Filter     store.DeliveryFilter
	Outcomes   []preview.DeliveryOutcome
	Next       string // the address of the next page
	Replayed   string // what came of a replay
}

// deliveryPage is how many deliveries a page shows.
const deliveryPage = 50

func (u *ui) deliveries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := store.DeliveryFilter{Repository: q.Get("repository"), Outcome: preview.DeliveryOutcome(q.Get("outcome")), Before: q.Get("before"), Limit: deliveryPage + 1}
	list, err := u.Store.SearchDeliveries(r.Context(), f)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	v := deliveriesView{
		Filter: f, Outcomes: []preview.DeliveryOutcome{preview.DeliveryIgnored, preview.DeliveryAccepted, preview.DeliveryDuplicate}, Replayed: q.Get("replayed"),
	}
	if len(list) > deliveryPage {
		list = list[:deliveryPage]
		v.Next = "/deliveries?" + url.Values{"repository": {f.Repository}, "outcome": {string(f.Outcome)}, "before": {list[deliveryPage-1].ID}}.Encode()
	}
	v.Deliveries = list
	u.show(w, r, "deliveries.html", view{Title: "Deliveries", Section: "deliveries", Data: v})
}

// replay has a delivery looked at once more. An operator's click asks for it.
func (u *ui) replay(w http.ResponseWriter, r *http.Request) {
	d, err := u.Store.Delivery(r.Context(), r.PathValue("id"))
	var decision preview.Decision
	if err == nil {
		decision, err = u.Replay(r.Context(), d)
	}
	if err != nil {
		u.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/deliveries?"+url.Values{"replayed": {string(decision.Outcome)}}.Encode(), http.StatusSeeOther)
}

// systemView is what the doctor found.
type systemView struct {
	Findings []doctor.Finding
	Worst    doctor.Status
	Audit    []preview.Audit
}

func (u *ui) system(w http.ResponseWriter, r *http.Request) {
	audit, err := u.Store.Audit(r.Context(), "", "", 20)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	found := u.Doctor(r.Context())
	u.show(w, r, "system.html", view{Title: "System", Section: "system", Data: systemView{found, doctor.Worst(found), audit}})
}
