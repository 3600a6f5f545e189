package fakegithub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// object is a JSON object.
type object = map[string]any

// emit sends a repository's event to every App that is installed on it and subscribes to it.
func (s *Server) emit(r *Repo, event, action string, payload object, sender *Account) {
	for _, a := range s.apps {
		if slices.Contains(a.events, event) {
			s.emitTo(a, r, event, action, payload, sender)
		}
	}
}

// emitTo sends a repository's event to one App, if it is installed on it.
func (s *Server) emitTo(a *App, r *Repo, event, action string, payload object, sender *Account) {
	i := a.installed(r)
	if i == nil || i.suspendedBy != nil {
		return
	}
	full := object{"repository": s.repoWebhook(r), "sender": s.user(sender), "installation": s.installationLite(i)}
	if event == "push" {
		full["repository"] = s.repoPush(r)
	}
	if r.owner.kind == "Organization" {
		full["organization"] = s.organization(r.owner)
	}
	if action != "" {
		full["action"] = action
	}
	maps.Copy(full, payload)
	s.send(a.hook, event, action, i.id, r.id, full)
}

// emitInstall sends an event about an installation, which cannot be unsubscribed.
func (s *Server) emitInstall(i *Installation, event, action string, payload object, sender *Account) {
	full := object{"action": action, "installation": s.installation(i), "sender": s.user(sender)}
	if event == "installation_target" {
		full["installation"] = s.installationLite(i)
	}
	maps.Copy(full, payload)
	s.send(i.app.hook, event, action, i.id, 0, full)
}

func (s *Server) ping(h *hook) {
	s.send(h, "ping", "", 0, 0, object{
		"zen": "Keep it logically awesome.", "hook_id": h.id,
		"hook": object{"type": "App", "id": h.id, "name": "web", "active": true, "events": h.app.events, "app_id": h.app.id,
			"config":     object{"content_type": h.contentType(), "insecure_ssl": "0", "secret": "********", "url": h.url},
			"updated_at": stamp(s.now()), "created_at": stamp(s.now()),
			"deliveries_url": s.api("/app/hook/deliveries")},
	})
}

func (s *Server) emitPush(r *Repo, actor *Account, ref, before, after string) {
	commits := []any{}
	var head any
	forced := false
	if n := r.network; after != zeroSHA {
		if before != zeroSHA {
			base := n.mergeBase(before, after)
			forced = base == nil || base.sha != before
			for _, c := range n.between(before, after) {
				commits = append(commits, s.pushCommit(r, c))
			}
		}
		head = s.pushCommit(r, n.commits[after])
	}
	s.emit(r, "push", "", object{
		"ref": ref, "before": before, "after": after, "created": before == zeroSHA, "deleted": after == zeroSHA, "forced": forced,
		"base_ref": nil, "compare": fmt.Sprintf("%s/%s/compare/%.12s...%.12s", s.options.URL, r.fullName(), before, after),
		"commits": commits, "head_commit": head, "pusher": object{"name": actor.login, "email": actor.email()},
	}, actor)
}

func (s *Server) pushCommit(r *Repo, c *commit) object {
	var before map[string]entry
	if len(c.parents) > 0 {
		before = r.network.commits[c.parents[0]].files
	}
	added, removed, modified := []string{}, []string{}, []string{}
	for _, change := range r.network.diff(before, c.files) {
		switch change.status {
		case "added":
			added = append(added, change.name)
		case "removed":
			removed = append(removed, change.name)
		default:
			modified = append(modified, change.name)
		}
	}
	who := object{"name": c.author.login, "email": c.author.email(), "username": c.author.login}
	return object{"id": c.sha, "tree_id": c.tree, "distinct": true, "message": c.message, "timestamp": stamp(c.when),
		"url": s.options.URL + "/" + r.fullName() + "/commit/" + c.sha, "author": who, "committer": who,
		"added": added, "removed": removed, "modified": modified}
}

// send checks a payload against GitHub's description and queues it, unless the hook has no address.
func (s *Server) send(h *hook, event, action string, installation, repository int64, payload object) {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(err) // payloads are made of plain values
	}
	name := event
	if action != "" {
		name += "." + action
	}
	s.violate("webhook", name, s.hooks.Check(event, action, body))
	if h.url == "" {
		return
	}
	s.deliverer.add(&delivery{id: s.id(), guid: uuid(), hook: h, event: event, action: action, installation: installation,
		repository: repository, payload: body})
}

func uuid() string {
	b := randomHex(16)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", b[:8], b[8:12], b[13:16], b[17:20], b[20:])
}
