//go:build simulate

package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// memory is what internal/store keeps, in maps: the same rules, one transaction after the other. TestSameAsStore holds it to
// the real one. Callers give the time, in whole milliseconds, as the database would.
type memory struct {
	previews    []preview.Preview // in the order of their ids
	deployments map[string][]preview.Deployment
	deliveries  []preview.Delivery
	jobs        map[jobKey]*job
	bindings    map[string]int64 // by the configured name in lower case
	ids         int
}

type jobKey struct {
	kind    preview.JobKind
	preview string
}

// job is a row of the jobs table.
type job struct {
	jobKey
	generation, done, token int64
	attempt                 int
	holder                  string
	notBefore, leaseUntil   time.Time

	asked map[int64]time.Time // when each generation was asked for; the simulation's own
	takes []time.Time         // when it was claimed of late; the simulation's own
}

func newMemory() *memory {
	return &memory{deployments: map[string][]preview.Deployment{}, jobs: map[jobKey]*job{}, bindings: map[string]int64{}}
}

func (m *memory) newID() string {
	m.ids++
	return fmt.Sprintf("id-%06d", m.ids)
}

func (m *memory) byID(id string) *preview.Preview {
	i := slices.IndexFunc(m.previews, func(p preview.Preview) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &m.previews[i]
}

func (m *memory) byKey(k preview.Key) *preview.Preview {
	i := slices.IndexFunc(m.previews, func(p preview.Preview) bool { return p.Key == k })
	if i < 0 {
		return nil
	}
	return &m.previews[i]
}

// apply is store.Apply. due says that a job was asked for.
func (m *memory) apply(now time.Time, e preview.Event, decide func(preview.State) (preview.Decision, error)) (p preview.Preview, d preview.Decision, due bool, err error) {
	if e.Fence != nil && m.held(*e.Fence, now) == nil {
		return p, d, false, stale(*e.Fence)
	}
	state := preview.State{Now: now}
	if e.Delivery != nil {
		state.Duplicate = slices.ContainsFunc(m.deliveries, func(o preview.Delivery) bool {
			return o.BodySHA256 == e.Delivery.BodySHA256 && o.Event == e.Delivery.Event && o.Outcome != preview.DeliveryIgnored
		})
	}
	old := m.byKey(e.Key)
	switch name := e.PullRequest.Repository; {
	case name != "":
		state.Bindings = m.bindingsOf(name, e.Key.RepositoryID)
	case old != nil:
		state.Bindings = m.bindingsOf(old.Repository, e.Key.RepositoryID)
	}
	if old != nil {
		known := *old
		state.Preview = &known
		if e.Kind == preview.EventStarted {
			state.Line = m.line()
		}
		if list := m.newest(known.ID, 1); len(list) > 0 {
			state.Deployment = &list[0]
		}
	}
	if d, err = decide(state); err != nil {
		return p, d, false, err
	}
	if d.Preview != nil && old == nil {
		p = *d.Preview
		if p.Namespace = m.freeName(d.Names); p.Namespace == "" {
			return p, d, false, fmt.Errorf("every name of %v is taken: %w", d.Names, preview.ErrConflict)
		}
		p.ID, p.CreatedAt = m.newID(), now
		m.previews = append(m.previews, p)
	} else if d.Preview != nil {
		p = *d.Preview
		p.Namespace = old.Namespace
		if name := m.freeName(d.Names); name != "" {
			p.Namespace = name
		}
		*old = p
	} else if old != nil {
		p = *old
	}
	if e.Delivery != nil {
		in := *e.Delivery
		in.ID, in.Outcome, in.Reason, in.ReceivedAt = m.newID(), d.Outcome, d.Reason, now
		m.deliveries = append(m.deliveries, in)
	}
	for _, dep := range d.Deployments {
		m.writeDeployment(p.ID, dep)
	}
	m.request(now, p.ID, d.Jobs)
	return p, d, len(d.Jobs) > 0, nil
}

// bind is store.Bind.
func (m *memory) bind(name string, id int64) int64 {
	name = strings.ToLower(name)
	if _, known := m.bindings[name]; !known {
		m.bindings[name] = id
	}
	return m.bindings[name]
}

// bindingsOf is store.Bindings.
func (m *memory) bindingsOf(name string, id int64) []preview.Binding {
	var list []preview.Binding
	for _, n := range slices.Sorted(maps.Keys(m.bindings)) {
		if n == strings.ToLower(name) || m.bindings[n] == id {
			list = append(list, preview.Binding{Name: n, RepositoryID: m.bindings[n]})
		}
	}
	return list
}

func (m *memory) freeName(names []string) string {
	for _, name := range names {
		if !slices.ContainsFunc(m.previews, func(p preview.Preview) bool { return p.Namespace == name }) {
			return name
		}
	}
	return ""
}

func (m *memory) writeDeployment(previewID string, d preview.Deployment) {
	list := m.deployments[previewID]
	if i := slices.IndexFunc(list, func(o preview.Deployment) bool { return o.ID == d.ID }); d.ID != "" && i >= 0 {
		list[i].Status, list[i].Diagnosis, list[i].FinishedAt = d.Status, d.Diagnosis, d.FinishedAt
		return
	}
	d.ID, d.PreviewID, d.Attempt = m.newID(), previewID, 1
	for _, o := range list {
		if o.SHA == d.SHA {
			d.Attempt++
		}
	}
	m.deployments[previewID] = append(list, d)
}

// newest returns at most limit deployments, the newest first.
func (m *memory) newest(previewID string, limit int) []preview.Deployment {
	list := slices.Clone(m.deployments[previewID])
	slices.SortFunc(list, func(a, b preview.Deployment) int {
		return cmp.Or(cmp.Compare(b.Generation, a.Generation), cmp.Compare(b.Attempt, a.Attempt))
	})
	return list[:min(limit, len(list))]
}

func (m *memory) line() []preview.Place {
	var out []preview.Place
	for _, p := range m.previews {
		if p.Status != preview.StatusDeleted {
			out = append(out, preview.Place{
				PreviewID: p.ID, Key: p.Key, Repository: p.Repository, Status: p.Status, Live: p.NamespaceUID != "", QueuedAt: p.QueuedAt,
			})
		}
	}
	return out
}

func (m *memory) unfinished() []preview.Preview {
	var out []preview.Preview
	for _, p := range m.previews {
		if p.Status != preview.StatusDeleted || p.Due() {
			out = append(out, p)
		}
	}
	return out
}

// request is RequestJob for each job.
func (m *memory) request(now time.Time, previewID string, jobs []preview.JobRequest) {
	for _, r := range jobs {
		key, at := jobKey{r.Kind, previewID}, now.Add(r.Delay.Truncate(time.Millisecond))
		j := m.jobs[key]
		if j == nil {
			j = &job{jobKey: key, notBefore: at, asked: map[int64]time.Time{}}
			m.jobs[key] = j
		} else {
			if !j.leaseUntil.After(now) {
				j.attempt = 0
			}
			if j.done >= j.generation || !j.notBefore.Before(at) {
				j.notBefore = at
			}
		}
		j.generation++
		j.asked[j.generation] = now
	}
}

// due returns the job of the kind that Claim would take, or nil.
func (m *memory) due(now time.Time, kind preview.JobKind) *job {
	var first *job
	for _, j := range m.jobs {
		if j.kind != kind || j.done >= j.generation || j.notBefore.After(now) || j.leaseUntil.After(now) {
			continue
		}
		if first == nil || cmp.Or(j.notBefore.Compare(first.notBefore), cmp.Compare(j.preview, first.preview)) < 0 {
			first = j
		}
	}
	return first
}

func (m *memory) claim(now time.Time, kind preview.JobKind, holder string, ttl time.Duration) (preview.Job, error) {
	j := m.due(now, kind)
	if j == nil {
		for _, other := range m.jobs {
			if other.kind == kind && other.leaseUntil.After(now.Add(2*ttl)) {
				other.leaseUntil = now.Add(ttl)
			}
		}
		return preview.Job{}, fmt.Errorf("claim a %s job: %w", kind, preview.ErrNotFound)
	}
	j.token++
	j.attempt++
	j.holder, j.leaseUntil = holder, now.Add(ttl)
	return preview.Job{
		Kind: j.kind, PreviewID: j.preview, Generation: j.generation, Attempt: j.attempt, Token: j.token, Holder: holder, LeaseUntil: j.leaseUntil,
	}, nil
}

// held returns the job of the fence while its lease lasts, or nil.
func (m *memory) held(f preview.Fence, now time.Time) *job {
	j := m.jobs[jobKey{f.Kind, f.PreviewID}]
	if j == nil || j.token != f.Token || !j.leaseUntil.After(now) {
		return nil
	}
	return j
}

func (m *memory) renew(now time.Time, f preview.Fence, ttl time.Duration) (int64, error) {
	j := m.held(f, now)
	if j == nil {
		return 0, stale(f)
	}
	j.leaseUntil = now.Add(ttl)
	return j.generation, nil
}

func (m *memory) finish(now time.Time, f preview.Fence, generation int64) error {
	j := m.held(f, now)
	if j == nil {
		return stale(f)
	}
	j.done, j.attempt, j.holder, j.leaseUntil = generation, 0, "", time.Time{}
	return nil
}

func (m *memory) retry(now time.Time, f preview.Fence, r preview.Retry) error {
	j := m.held(f, now)
	if j == nil {
		return stale(f)
	}
	j.attempt, j.notBefore, j.holder, j.leaseUntil = r.Attempt, now.Add(r.Delay.Truncate(time.Millisecond)), "", time.Time{}
	if j.generation > r.Covered {
		j.notBefore = now
	}
	return nil
}

func (m *memory) openKinds(now time.Time) map[preview.JobKind]time.Duration {
	due := map[preview.JobKind]time.Duration{}
	for _, j := range m.jobs {
		if j.done >= j.generation {
			continue
		}
		at := j.notBefore
		if j.leaseUntil.After(at) {
			at = j.leaseUntil
		}
		wait := max(0, at.Sub(now))
		if first, known := due[j.kind]; !known || wait < first {
			due[j.kind] = wait
		}
	}
	return due
}

func (m *memory) generations(holder string) map[preview.Fence]int64 {
	newest := map[preview.Fence]int64{}
	for _, j := range m.jobs {
		if j.done < j.generation && j.holder == holder {
			newest[preview.Fence{Kind: j.kind, PreviewID: j.preview, Token: j.token}] = j.generation
		}
	}
	return newest
}

func stale(f preview.Fence) error {
	return fmt.Errorf("lease %d of %s for preview %s is over: %w", f.Token, f.Kind, f.PreviewID, preview.ErrStale)
}
