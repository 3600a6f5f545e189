package fakegithub

import (
	"encoding/base64"
	"fmt"
	"time"
)

// The shapes of accounts, Apps and repositories as GitHub's API and webhooks give them.

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func node(kind string, id any) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString(fmt.Append(nil, id))
}

func (s *Server) api(path string) string { return s.options.URL + "/api/v3" + path }

func (s *Server) user(a *Account) object {
	if a == nil {
		return nil
	}
	u := s.api("/users/" + a.login)
	html := s.options.URL + "/" + a.login
	if a.app != nil {
		html = s.options.URL + "/apps/" + a.app.slug
	}
	return object{
		"login": a.login, "id": a.id, "node_id": node("U", a.id), "avatar_url": s.options.URL + "/avatars/u/" + fmt.Sprint(a.id),
		"gravatar_id": "", "url": u, "html_url": html, "followers_url": u + "/followers",
		"following_url": u + "/following{/other_user}", "gists_url": u + "/gists{/gist_id}",
		"starred_url": u + "/starred{/owner}{/repo}", "subscriptions_url": u + "/subscriptions", "organizations_url": u + "/orgs",
		"repos_url": u + "/repos", "events_url": u + "/events{/privacy}", "received_events_url": u + "/received_events",
		"type": a.kind, "user_view_type": "public", "site_admin": false,
	}
}

// accountObject is the fuller shape of GET /users/{username}.
func (s *Server) accountObject(a *Account) object {
	o := s.user(a)
	for key, value := range (object{"name": a.login, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil,
		"bio": nil, "twitter_username": nil, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(a.created), "updated_at": stamp(a.created)}) {
		o[key] = value
	}
	return o
}

func (s *Server) organization(a *Account) object {
	u := s.api("/orgs/" + a.login)
	return object{"login": a.login, "id": a.id, "node_id": node("O", a.id), "url": u, "repos_url": u + "/repos",
		"events_url": u + "/events", "hooks_url": u + "/hooks", "issues_url": u + "/issues",
		"members_url": u + "/members{/member}", "public_members_url": u + "/public_members{/member}",
		"avatar_url": s.options.URL + "/avatars/u/" + fmt.Sprint(a.id), "description": ""}
}

func (s *Server) app(a *App) object {
	return object{"id": a.id, "slug": a.slug, "client_id": a.clientID(), "node_id": node("A", a.id), "owner": s.user(a.owner),
		"name": a.name, "description": "", "external_url": s.options.URL, "html_url": s.options.URL + "/apps/" + a.slug,
		"created_at": stamp(a.created), "updated_at": stamp(a.created), "permissions": a.permissions, "events": a.events}
}

func (a *App) clientID() string { return fmt.Sprintf("Iv23fake%012d", a.id) }

func (s *Server) installationLite(i *Installation) object {
	return object{"id": i.id, "node_id": node("MDIzOkludGVncmF0aW9u", i.id)}
}

func (s *Server) installation(i *Installation) object {
	return object{
		"id": i.id, "node_id": node("I", i.id), "client_id": i.app.clientID(), "account": s.user(i.account),
		"repository_selection": i.selection(),
		"access_tokens_url":    s.api(fmt.Sprintf("/app/installations/%d/access_tokens", i.id)),
		"repositories_url":     s.api("/installation/repositories"),
		"html_url":             fmt.Sprintf("%s/settings/installations/%d", s.options.URL, i.id),
		"app_id":               i.app.id, "app_slug": i.app.slug, "target_id": i.account.id, "target_type": i.account.kind,
		"permissions": i.permissions, "events": i.app.events, "created_at": stamp(i.created), "updated_at": stamp(i.updated),
		"single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{},
		"suspended_by": nilIfNone(s.user(i.suspendedBy)), "suspended_at": suspended(i),
	}
}

func suspended(i *Installation) any {
	if i.suspendedBy == nil {
		return nil
	}
	return stamp(i.suspendedAt)
}

// nilIfNone makes the JSON null of a typed nil.
func nilIfNone(o object) any {
	if o == nil {
		return nil
	}
	return o
}

func (s *Server) shortRepos(repos []*Repo) []any {
	list := []any{}
	for _, r := range repos {
		list = append(list, object{"id": r.id, "node_id": node("R", r.id), "name": r.name, "full_name": r.fullName(), "private": r.private})
	}
	return list
}

// repo is the shape of a repository inside other answers.
func (s *Server) repo(r *Repo) object {
	u := s.api("/repos/" + r.fullName())
	html := s.options.URL + "/" + r.fullName()
	open, forks := 0, 0
	for _, p := range r.pulls {
		if p.open() {
			open++
		}
	}
	for _, other := range s.repos {
		if other.parent == r && !other.deleted {
			forks++
		}
	}
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	o := object{
		"id": r.id, "node_id": node("R", r.id), "name": r.name, "full_name": r.fullName(), "private": r.private, "owner": s.user(r.owner),
		"html_url": html, "description": nil, "fork": r.parent != nil, "url": u,
		"git_url": "git" + html[4:] + ".git", "ssh_url": "git@localhost:" + r.fullName() + ".git", "clone_url": html + ".git", "svn_url": html,
		"homepage": nil, "size": 1, "stargazers_count": 0, "watchers_count": 0, "language": nil, "has_issues": true,
		"has_projects": true, "has_downloads": true, "has_wiki": true, "has_pages": false, "has_discussions": false,
		"forks_count": forks, "mirror_url": nil, "archived": false, "disabled": false, "open_issues_count": open, "license": nil,
		"allow_forking": true, "is_template": false, "web_commit_signoff_required": false, "topics": []string{},
		"visibility": visibility, "forks": forks, "open_issues": open, "watchers": 0, "default_branch": r.defaultBranch,
		"created_at": stamp(r.created), "updated_at": stamp(r.pushed), "pushed_at": stamp(r.pushed),
	}
	for name, tail := range repoURLs() {
		o[name] = u + tail
	}
	return o
}

func repoURLs() map[string]string {
	return map[string]string{
		"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
		"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}", "comments_url": "/comments{/number}",
		"commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}", "contents_url": "/contents/{+path}",
		"contributors_url": "/contributors", "deployments_url": "/deployments", "downloads_url": "/downloads", "events_url": "/events",
		"forks_url": "/forks", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}",
		"git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks", "issue_comment_url": "/issues/comments{/number}",
		"issue_events_url": "/issues/events{/number}", "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}",
		"labels_url": "/labels{/name}", "languages_url": "/languages", "merges_url": "/merges",
		"milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
		"pulls_url": "/pulls{/number}", "releases_url": "/releases{/id}", "stargazers_url": "/stargazers",
		"statuses_url": "/statuses/{sha}", "subscribers_url": "/subscribers", "subscription_url": "/subscription",
		"tags_url": "/tags", "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
	}
}

// repoFull is the shape of GET /repos/{owner}/{repo}.
func (s *Server) repoFull(r *Repo) object {
	o := s.repo(r)
	o["network_count"], o["subscribers_count"] = o["forks_count"], 0
	if r.owner.kind == "Organization" {
		o["organization"] = s.user(r.owner)
	}
	if r.parent != nil && !r.parent.deleted {
		o["parent"], o["source"] = s.repo(r.parent), s.repo(r.parent)
	}
	return o
}

func (s *Server) repoWebhook(r *Repo) object {
	o := s.repo(r)
	o["custom_properties"] = object{}
	return o
}

// repoPush is the shape in push payloads, where two times are numbers.
func (s *Server) repoPush(r *Repo) object {
	o := s.repoWebhook(r)
	o["created_at"], o["pushed_at"] = r.created.Unix(), r.pushed.Unix()
	o["stargazers"], o["master_branch"] = 0, r.defaultBranch
	return o
}
