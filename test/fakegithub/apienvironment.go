package fakegithub

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// environment is one of a repository's, as its settings list it. GitHub makes it with the first deployment into it, and it stays when the
// deployments are gone.
type environment struct {
	id               int64
	name             string
	created, updated time.Time
}

// environmentOf finds an environment, or makes it. Names compare without case.
func (r *Repo) environmentOf(name string) *environment {
	if e := r.environment(name); e != nil {
		return e
	}
	e := &environment{id: r.s.id(), name: name, created: r.s.now(), updated: r.s.now()}
	r.environments = append(r.environments, e)
	return e
}

func (r *Repo) environment(name string) *environment {
	for _, e := range r.environments {
		if strings.EqualFold(e.name, name) {
			return e
		}
	}
	return nil
}

// Environments returns the names of the repository's environments, the oldest first.
func (r *Repo) Environments() []string {
	defer r.lock()()
	names := []string{}
	for _, e := range r.environments {
		names = append(names, e.name)
	}
	return names
}

func (r *Repo) environmentObject(e *environment) object {
	path := url.PathEscape(e.name)
	return object{"id": e.id, "node_id": node("EN", e.id), "name": e.name,
		"url":        r.s.api(fmt.Sprintf("/repos/%s/environments/%s", r.fullName(), path)),
		"html_url":   fmt.Sprintf("%s/deployments/activity_log?environments_filter=%s", r.s.options.URL+"/"+r.fullName(), path),
		"created_at": stamp(e.created), "updated_at": stamp(e.updated), "protection_rules": []any{}, "deployment_branch_policy": nil}
}

func listEnvironments(c *call) *answer {
	return wrapped(c, "environments", c.repo.environments, c.repo.environmentObject)
}

func getEnvironment(c *call) *answer {
	if e := c.repo.environment(c.path.Params["environment_name"]); e != nil {
		return ok(c.repo.environmentObject(e))
	}
	return notFound()
}

func deleteEnvironment(c *call) *answer {
	e := c.repo.environment(c.path.Params["environment_name"])
	if e == nil {
		return notFound()
	}
	c.repo.environments = slices.DeleteFunc(c.repo.environments, func(other *environment) bool { return other == e })
	return &answer{status: http.StatusNoContent}
}
