package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Finder looks up what a request is about.
type Finder interface {
	Named(ctx context.Context, repository string, number int) (preview.Preview, error)
	Deployment(ctx context.Context, id string) (preview.Deployment, error)
	Preview(ctx context.Context, id string) (preview.Preview, error)
}

// Recorder keeps the record of who did what.
type Recorder interface {
	Record(ctx context.Context, a preview.Audit) error
}

// Guard stands in front of every route: it finds out who asks and about what, has the Authorizer decide, and records what is done.
type Guard struct {
	knows    *Identifier
	decides  *Authorizer
	finder   Finder
	recorder Recorder
	log      *slog.Logger
	cross    *http.CrossOriginProtection
	limits   *limiter
	page     func(w http.ResponseWriter, r *http.Request, p *problem.Problem)
	until    context.Context // streams end with it
	renew    time.Duration   // how often the right to a stream is looked at
}

// Renew is how often the right to a stream is looked at again.
const Renew = time.Minute

// GuardOptions are a guard's parts.
type GuardOptions struct {
	Identifier *Identifier
	Authorizer *Authorizer
	Finder     Finder
	Recorder   Recorder
	Log        *slog.Logger
	Until      context.Context                                                  // when it ends, so do streams, which a server that stops would wait for otherwise; nil: never
	Renew      time.Duration                                                    // Renew when zero
	ErrorPage  func(w http.ResponseWriter, r *http.Request, p *problem.Problem) // for browsers; problem details when nil
	Rate       float64                                                          // requests a second of one actor in the long run; 50 when zero
}

// NewGuard returns the guard.
func NewGuard(o GuardOptions) *Guard {
	g := &Guard{
		knows: o.Identifier, decides: o.Authorizer, finder: o.Finder, recorder: o.Recorder, log: o.Log, renew: o.Renew,
		cross: http.NewCrossOriginProtection(), limits: newLimiter(o.Rate), page: o.ErrorPage,
	}
	if g.page == nil {
		g.page = func(w http.ResponseWriter, _ *http.Request, p *problem.Problem) { problem.Write(w, p) }
	}
	if g.until = o.Until; g.until == nil {
		g.until = context.Background()
	}
	if g.renew == 0 {
		g.renew = Renew
	}
	g.cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.Of(problem.Say(preview.ErrForbidden, "A page of another site made this request."), g.log))
	}))
	return g
}

// wrap puts the guard in front of a route.
func (g *Guard) wrap(pattern string, h http.Handler) http.Handler {
	rule, known := RuleOf(pattern)
	if !known {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			g.log.Error("a route without a rule was asked for", "pattern", pattern)
			problem.Write(w, problem.Of(preview.ErrForbidden, g.log))
		})
	}
	if rule.Do == Open {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, rule, h) })
}

func (g *Guard) serve(w http.ResponseWriter, r *http.Request, rule Rule, h http.Handler) {
	w.Header().Set("Cache-Control", "private, no-cache")
	who, err := g.knows.Identify(r)
	if err == nil {
		err = g.limits.take(who, r)
	}
	var about *preview.Preview
	if err == nil {
		about, err = g.allow(r, who, rule)
	}
	if needs[rule.Do].does && r.Method != http.MethodGet {
		g.record(r, who, rule, about, err)
	}
	if err != nil {
		g.refuse(w, r, rule, err)
		return
	}
	ctx := context.WithValue(r.Context(), actorKey{}, who)
	if about != nil {
		ctx = context.WithValue(ctx, previewKey{}, *about)
	}
	switch {
	case rule.Stream:
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		defer end()
		defer context.AfterFunc(g.until, end)()
		go g.watch(ctx, r, rule, end)
		h.ServeHTTP(w, r.WithContext(ctx))
	case rule.Tagged:
		tagged(w, r.WithContext(ctx), h)
	default:
		h.ServeHTTP(w, r.WithContext(ctx))
	}
}

// allow finds what the request is about and asks whether it may. Who is not known learns nothing of what there is.
func (g *Guard) allow(r *http.Request, who Actor, rule Rule) (*preview.Preview, error) {
	if rule.About == aboutNothing {
		return nil, g.decides.Authorize(r.Context(), who, rule.Do, nil)
	}
	if !who.Known() {
		return nil, g.decides.Authorize(r.Context(), who, rule.Do, nil)
	}
	p, err := g.find(r, rule.About)
	if err != nil {
		if errors.Is(err, preview.ErrNotFound) {
			err = problem.Say(preview.ErrNotFound, "There is no such preview, or you may not see its repository on GitHub.")
		}
		return nil, err
	}
	return &p, g.decides.Authorize(r.Context(), who, rule.Do, &p)
}

func (g *Guard) find(r *http.Request, a about) (preview.Preview, error) {
	ctx := r.Context()
	if a == aboutDeployment {
		d, err := g.finder.Deployment(ctx, r.PathValue("deployment"))
		if err != nil {
			return preview.Preview{}, err
		}
		return g.finder.Preview(ctx, d.PreviewID)
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || number <= 0 {
		return preview.Preview{}, fmt.Errorf("pull request %q: %w", r.PathValue("number"), preview.ErrNotFound)
	}
	return g.finder.Named(ctx, r.PathValue("owner")+"/"+r.PathValue("repo"), number)
}

// watch ends a stream whose reader may not have it any more, or of whom that cannot be said.
func (g *Guard) watch(ctx context.Context, r *http.Request, rule Rule, end context.CancelFunc) {
	ticker := time.NewTicker(g.renew)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r := r.WithContext(ctx)
		who, err := g.knows.Identify(r)
		if err == nil {
			_, err = g.allow(r, who, rule)
		}
		if err != nil {
			if ctx.Err() == nil {
				g.log.Info("stream ended", "path", r.URL.Path, "actor", who.Who(), "reason", err)
			}
			end()
			return
		}
	}
}

// refuse answers a request that may not be.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, rule Rule, err error) {
	p := problem.Of(err, g.log)
	if rule.Page && p.Status == http.StatusUnauthorized && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		http.Redirect(w, r, "/login?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="catalyst"`)
	}
	var later interface{ RetryAt() time.Time }
	if errors.As(err, &later) {
		p.Status, p.Code, p.Title, p.Detail = http.StatusServiceUnavailable, "not_ready", "Not ready", "GitHub wants to be left alone for a while: try again later."
		if t := (limited{}); errors.As(err, &t) {
			p.Status, p.Code, p.Title, p.Detail = http.StatusTooManyRequests, "too_many_requests", "Too many requests", "Too many requests: try again in a moment."
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(max(1, time.Until(later.RetryAt()).Seconds()+0.999))))
	}
	if rule.Page {
		g.page(w, r, p)
		return
	}
	problem.Write(w, p)
}

// record keeps who asked for what, before it is done.
func (g *Guard) record(r *http.Request, who Actor, rule Rule, about *preview.Preview, refusal error) {
	a := preview.Audit{Actor: who.Who(), UserID: who.UserID, Via: string(who.Via), Action: string(rule.Do), Outcome: "allowed"}
	switch {
	case about != nil:
		a.Subject = about.Ref()
	case r.PathValue("owner") != "":
		a.Subject = r.PathValue("owner") + "/" + r.PathValue("repo") + "#" + r.PathValue("number")
	default:
		a.Subject = r.PathValue("id")
	}
	if refusal != nil {
		a.Outcome, a.Detail = "refused", problem.Kind(refusal)
	}
	if !who.Known() {
		return // whoever it is could fill the record
	}
	if err := g.recorder.Record(r.Context(), a); err != nil {
		g.log.Error("record who did what", "action", a.Action, "subject", a.Subject, "actor", a.Actor, "error", err)
	}
}

// tagged answers with an ETag, and with 304 to whoever has the answer already. The answer is held in memory: only what is bounded is tagged.
func tagged(w http.ResponseWriter, r *http.Request, h http.Handler) {
	held := &holding{header: w.Header(), status: http.StatusOK}
	h.ServeHTTP(held, r)
	if held.status == http.StatusOK {
		sum := sha256.Sum256(held.body.Bytes())
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.Header().Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(held.status)
	_, _ = w.Write(held.body.Bytes())
}

// holding is a response that is looked at before it goes out.
type holding struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter, as do the others.
func (h *holding) Header() http.Header         { return h.header }
func (h *holding) WriteHeader(status int)      { h.status = status }
func (h *holding) Write(p []byte) (int, error) { return h.body.Write(p) }
