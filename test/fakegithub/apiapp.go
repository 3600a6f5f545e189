package fakegithub

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The operations about Apps, installations, accounts and limits.

func getApp(c *call) *answer {
	o := c.s.app(c.who.app)
	n := 0
	for _, i := range c.s.installs {
		if i.app == c.who.app && !i.deleted {
			n++
		}
	}
	o["installations_count"] = n
	return ok(o)
}

func getHookConfig(c *call) *answer {
	h := c.who.app.hook
	o := object{"content_type": h.contentType(), "insecure_ssl": "0", "url": h.url}
	if h.secret != "" {
		o["secret"] = "********"
	}
	return ok(o)
}

func updateHookConfig(c *call) *answer {
	h := c.who.app.hook
	h.url, h.secret = cmp.Or(c.text("url"), h.url), cmp.Or(c.text("secret"), h.secret)
	if kind := c.text("content_type"); kind != "" {
		h.form = kind == "form"
	}
	return getHookConfig(c)
}

// listDeliveries pages by cursor, newest first, unlike every other list.
func listDeliveries(c *call) *answer {
	d := &c.s.deliverer
	query := c.r.URL.Query()
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*delivery
	for _, v := range d.all {
		good := v.code >= 200 && v.code < 400
		want := query.Get("status")
		if v.done && v.hook.app == c.who.app && (want == "" || (want == "success") == good) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *delivery) int { return cmp.Compare(b.id, a.id) })
	if cursor := query.Get("cursor"); cursor != "" {
		before, err := strconv.ParseInt(strings.TrimPrefix(cursor, "v1_"), 10, 64)
		if err != nil {
			return fail(http.StatusBadRequest, "Invalid cursor")
		}
		all = slices.DeleteFunc(all, func(v *delivery) bool { return v.id >= before })
	}
	size := clamp(query.Get("per_page"), 30, 100)
	header := http.Header{}
	if len(all) > size {
		all = all[:size]
		header.Set("Link", c.link("cursor", fmt.Sprintf("v1_%d", all[size-1].id), "next"))
	}
	list := []any{}
	for _, v := range all {
		list = append(list, c.s.deliveryObject(v, false))
	}
	return &answer{status: http.StatusOK, body: list, header: header}
}

func (c *call) delivery() *delivery {
	v := c.s.deliverer.find(c.number("delivery_id"))
	if v == nil || v.hook.app != c.who.app {
		return nil
	}
	return v
}

func getDelivery(c *call) *answer {
	v := c.delivery()
	if v == nil {
		return notFound()
	}
	d := &c.s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	if !v.done {
		return notFound()
	}
	return ok(c.s.deliveryObject(v, true))
}

// redeliver works for three days after a delivery, as GitHub's does.
func redeliver(c *call) *answer {
	v := c.delivery()
	if v == nil {
		return notFound()
	}
	d := &c.s.deliverer
	d.mu.Lock()
	at, done := v.at, v.done
	d.mu.Unlock()
	if !done {
		return notFound()
	}
	if c.s.options.Now().Sub(at) > 3*24*time.Hour {
		return fail(http.StatusUnprocessableEntity, "The delivery is too old to be redelivered")
	}
	c.s.redeliver(v.id)
	return &answer{status: http.StatusAccepted, body: object{}}
}

func (c *call) installations() []*Installation {
	var list []*Installation
	for _, i := range c.s.installs {
		if i.app == c.who.app && !i.deleted {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b *Installation) int { return cmp.Compare(a.id, b.id) })
	return list
}

func listInstallations(c *call) *answer {
	return page(c, c.installations(), func(i *Installation) object {
		o := c.s.installation(i)
		account := c.s.accountObject(i.account)
		account["slug"] = i.account.login // the description of this list wants an enterprise's fields of every account
		o["account"] = account
		return o
	})
}

func (c *call) installation() *Installation {
	for _, i := range c.installations() {
		if i.id == c.number("installation_id") {
			return i
		}
	}
	return nil
}

func getInstallation(c *call) *answer {
	if i := c.installation(); i != nil {
		return ok(c.s.installation(i))
	}
	return notFound()
}

func deleteInstallation(c *call) *answer {
	i := c.installation()
	if i == nil {
		return notFound()
	}
	i.remove()
	return &answer{status: http.StatusNoContent}
}

func getAccountInstallation(c *call) *answer {
	login := cmp.Or(c.path.Params["org"], c.path.Params["username"])
	for _, i := range c.installations() {
		if strings.EqualFold(i.account.login, login) {
			return ok(c.s.installation(i))
		}
	}
	return notFound()
}

func getRepoInstallation(c *call) *answer {
	if i := c.who.app.installed(c.repo); i != nil {
		return ok(c.s.installation(i))
	}
	return notFound()
}

// createToken gives a token for the installation, narrowed as asked but never wider than the installation.
func createToken(c *call) *answer {
	i := c.installation()
	if i == nil {
		return notFound()
	}
	if i.suspendedBy != nil {
		return fail(http.StatusForbidden, "This installation has been suspended")
	}
	var narrow struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if raw, err := json.Marshal(c.body); err != nil || json.Unmarshal(raw, &narrow) != nil {
		return fail(http.StatusUnprocessableEntity, "Invalid request.")
	}
	if len(narrow.Repositories)+len(narrow.RepositoryIDs) > 500 {
		return fail(http.StatusUnprocessableEntity, "There are too many repositories: the limit is 500.")
	}
	var repos map[int64]bool
	if len(narrow.Repositories)+len(narrow.RepositoryIDs) > 0 {
		repos = map[int64]bool{}
		for _, r := range i.covered() {
			repos[r.id] = slices.Contains(narrow.RepositoryIDs, r.id) || slices.Contains(narrow.Repositories, r.name)
		}
		n := 0
		for _, in := range repos {
			if in {
				n++
			}
		}
		if n < len(narrow.Repositories)+len(narrow.RepositoryIDs) {
			return fail(http.StatusUnprocessableEntity,
				"There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
	}
	permissions := map[string]string{"metadata": "read"}
	if narrow.Permissions == nil {
		permissions = i.permissions
	}
	for name, level := range narrow.Permissions {
		have := i.permissions[name]
		if have == "" && name != "metadata" || level == "write" && have == "read" {
			return fail(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
		permissions[name] = level
	}
	t := c.s.newInstallationToken(i, repos, permissions)
	selection := i.selection()
	o := object{"token": t.text, "expires_at": stamp(t.expires), "permissions": permissions, "repository_selection": selection}
	if repos != nil {
		o["repository_selection"] = "selected"
		list := []any{}
		for _, r := range i.covered() {
			if repos[r.id] {
				list = append(list, c.s.repo(r))
			}
		}
		o["repositories"] = list
	}
	return &answer{status: http.StatusCreated, body: o}
}

func listInstallationRepos(c *call) *answer {
	t := c.who.token
	repos := slices.DeleteFunc(t.install.covered(), func(r *Repo) bool { return t.repos != nil && !t.repos[r.id] })
	return wrapped(c, "repositories", repos, c.s.repo)
}

func revokeToken(c *call) *answer {
	delete(c.s.tokens, c.who.token.text)
	return &answer{status: http.StatusNoContent}
}

func getUser(c *call) *answer {
	if a := c.s.accounts[strings.ToLower(c.path.Params["username"])]; a != nil {
		return ok(c.s.accountObject(a))
	}
	return notFound()
}

func getSelf(c *call) *answer { return ok(c.s.accountObject(c.who.account)) }

func getRateLimit(c *call) *answer {
	l := c.s.limitOf(c.who)
	core := object{"limit": c.s.options.RateLimit, "used": l.used, "remaining": c.s.options.RateLimit - l.used, "reset": l.reset.Unix()}
	search := object{"limit": 30, "used": 0, "remaining": 30, "reset": l.reset.Unix()}
	return ok(object{"resources": object{"core": core, "search": search}, "rate": core})
}

func getMeta(c *call) *answer {
	return ok(object{"verifiable_password_authentication": false, "hooks": []string{"127.0.0.0/8", "::1/128"},
		"web": []string{"127.0.0.0/8"}, "api": []string{"127.0.0.0/8"}})
}
