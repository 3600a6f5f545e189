package access

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Fresh is how long GitHub's word that somebody may see a repository is believed. Whether somebody may change something is asked each time.
const Fresh = time.Minute

// People tells what a person may do in a repository now.
type People interface {
	Permission(ctx context.Context, r ghapp.Repo, login string) (ghapp.Permission, error)
}

// Authorizer decides. Safe for concurrent use.
type Authorizer struct {
	people    People
	operators map[string]bool // lower-case logins, and ids as digits
	now       func() time.Time

	mu    sync.Mutex
	known map[permissionKey]permission
}

type permissionKey struct{ repository, user int64 }

type permission struct {
	ghapp.Permission
	at time.Time
}

// maxKnown bounds what is remembered of permissions.
const maxKnown = 10_000

// NewAuthorizer returns who decides. operators are logins on GitHub, or ids of accounts as digits, which do not change hands.
func NewAuthorizer(people People, operators []string) *Authorizer {
	a := &Authorizer{people: people, operators: map[string]bool{}, now: time.Now, known: map[permissionKey]permission{}}
	for _, o := range operators {
		a.operators[strings.ToLower(o)] = true
	}
	return a
}

// Operator reports whether the actor is an operator of this Catalyst.
func (a *Authorizer) Operator(who Actor) bool {
	return who.Known() && (who.Person.Operator || who.Login != "" && a.operators[strings.ToLower(who.Login)] || who.UserID != 0 && a.operators[strconv.FormatInt(who.UserID, 10)])
}

// Authorize returns nil when the actor may do this, on the repository of the preview when the action is one on a preview. Otherwise preview.ErrSignIn when
// nobody knows who asks, preview.ErrForbidden, or an outage, because GitHub does not tell: then nothing is allowed either.
func (a *Authorizer) Authorize(ctx context.Context, who Actor, do Action, on *preview.Preview) error {
	n := needs[do]
	switch {
	case n.level == anybody:
		return nil
	case n.level == nobody:
		return fmt.Errorf("%s is no action: %w", do, preview.ErrForbidden)
	case !who.Known():
		return problem.Say(preview.ErrSignIn, "Sign in, or send a token.")
	case who.limits(n.scope):
		return problem.Say(preview.ErrForbidden, refusedScope(n.scope))
	case n.level == person, a.Operator(who), n.level == reader && who.Standing == StandingViewer:
		return nil
	case n.level == operator:
		return problem.Say(preview.ErrForbidden, "This is for operators of this Catalyst. The configuration names them (access.operators).")
	case on == nil:
		return fmt.Errorf("%s without a repository: %w", do, preview.ErrForbidden)
	}
	p, err := a.permission(ctx, who, *on, n.level == writer)
	if err != nil {
		return err
	}
	switch {
	case !p.Read:
		return problem.Say(preview.ErrNotFound, "There is no such preview, or you may not see its repository on GitHub.")
	case n.level == writer && !p.Write:
		return problem.Say(preview.ErrForbidden, "It takes somebody who may write to "+on.Repository+".")
	}
	return nil
}

func refusedScope(s Scope) string {
	if s == "" {
		return "Tokens cannot be used for this: sign in."
	}
	return "The token does not have the scope " + string(s) + "."
}

// permission asks GitHub, or remembers for as long as its word is fresh. Nobody is taken for whoever has got their login since.
func (a *Authorizer) permission(ctx context.Context, who Actor, on preview.Preview, live bool) (ghapp.Permission, error) {
	if who.Login == "" || who.UserID == 0 {
		return ghapp.Permission{}, nil
	}
	key := permissionKey{on.RepositoryID, who.UserID}
	now := a.now()
	a.mu.Lock()
	known, ok := a.known[key]
	a.mu.Unlock()
	if ok && !live && now.Sub(known.at) < Fresh {
		return known.Permission, nil
	}
	p, err := a.people.Permission(ctx, ghapp.Repo{InstallationID: on.InstallationID, ID: on.RepositoryID, FullName: on.Repository}, who.Login)
	if err != nil {
		return ghapp.Permission{}, fmt.Errorf("ask GitHub what %s may do in %s: %w", who.Login, on.Repository, err)
	}
	if p.UserID != who.UserID {
		p = ghapp.Permission{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[key] = permission{p, now}
	return p, nil
}

// Filter returns those of the previews whose repositories the actor may see. A repository that GitHub does not tell about is left out, and err says so
// when nothing is left to show.
func (a *Authorizer) Filter(ctx context.Context, who Actor, all []preview.Preview) ([]preview.Preview, error) {
	var may []preview.Preview
	var outage error
	allowed := map[int64]bool{}
	for _, p := range all {
		ok, asked := allowed[p.RepositoryID]
		if !asked {
			err := a.Authorize(ctx, who, See, &p)
			ok = err == nil
			if err != nil && problem.Outage(err) {
				outage = err
			}
			allowed[p.RepositoryID] = ok
		}
		if ok {
			may = append(may, p)
		}
	}
	if len(may) == 0 && outage != nil {
		return nil, outage
	}
	return may, nil
}
