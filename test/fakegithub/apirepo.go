package fakegithub

import (
	"encoding/base64"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// The operations about repositories, their commits and their content.

func getRepo(c *call) *answer { return ok(c.s.repoFull(c.repo)) }

func getPermission(c *call) *answer {
	a := c.s.accounts[strings.ToLower(c.path.Params["username"])]
	if a == nil {
		return notFound()
	}
	role := c.repo.role(a)
	// The old field knows four words only.
	permission := map[string]string{"maintain": "write", "triage": "read"}[role]
	if permission == "" {
		permission = role
	}
	user := c.s.user(a)
	user["role_name"] = role
	user["permissions"] = object{"pull": c.repo.atLeast(a, "read"), "triage": c.repo.atLeast(a, "triage"),
		"push": c.repo.atLeast(a, "write"), "maintain": c.repo.atLeast(a, "maintain"), "admin": c.repo.atLeast(a, "admin")}
	return ok(object{"permission": permission, "role_name": role, "user": user})
}

func (r *Repo) branch(name string) object {
	sha := r.branches[name]
	return object{"name": name, "commit": object{"sha": sha, "url": r.commitURL(sha)}, "protected": false}
}

func listBranches(c *call) *answer {
	return page(c, slices.Sorted(maps.Keys(c.repo.branches)), c.repo.branch)
}

func getBranch(c *call) *answer {
	name := c.path.Params["branch"]
	sha, found := c.repo.branches[name]
	if !found {
		return fail(http.StatusNotFound, "Branch not found")
	}
	u := c.s.api("/repos/" + c.repo.fullName() + "/branches/" + name)
	return ok(object{"name": name, "commit": c.repo.commitObject(c.repo.network.commits[sha]), "protected": false,
		"protection": object{"enabled": false}, "protection_url": u + "/protection",
		"_links": object{"self": u, "html": c.repo.html("/tree/" + name)}})
}

func listCommits(c *call) *answer {
	ref := c.r.URL.Query().Get("sha")
	if ref == "" {
		ref = c.repo.defaultBranch
	}
	head := c.repo.resolve(ref)
	if head == nil {
		return notFound()
	}
	return page(c, c.repo.network.ancestors(head.sha), c.repo.commitObject)
}

func getCommit(c *call) *answer {
	found := c.repo.resolve(c.path.Params["ref"])
	if found == nil {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path.Params["ref"])
	}
	before := map[string]entry{}
	if len(found.parents) > 0 {
		before = c.repo.network.commits[found.parents[0]].files
	}
	o := c.repo.commitObject(found)
	changes := c.repo.network.diff(before, found.files)
	added, removed := 0, 0
	for _, change := range changes {
		added, removed = added+change.additions, removed+change.removed
	}
	o["stats"] = object{"additions": added, "deletions": removed, "total": added + removed}
	o["files"] = c.repo.fileObjects(changes, found.sha)
	return ok(o)
}

func listCommitPulls(c *call) *answer {
	sha := c.path.Params["commit_sha"]
	return page(c, c.repo.sortedPulls(func(p *pull) bool {
		return slices.ContainsFunc(c.repo.network.between(p.baseTip(), p.headSHA), func(x *commit) bool { return x.sha == sha })
	}), c.s.pullSimple)
}

func getGitCommit(c *call) *answer {
	if found := c.repo.network.commits[c.path.Params["commit_sha"]]; found != nil {
		return ok(c.repo.gitCommit(found))
	}
	return notFound()
}

func getGitRef(c *call) *answer {
	ref := strings.TrimPrefix(c.path.Params["ref"], "refs/")
	var found *commit
	if name, isBranch := strings.CutPrefix(ref, "heads/"); isBranch {
		found = c.repo.network.commits[c.repo.branches[name]]
	} else if strings.HasPrefix(ref, "pull/") {
		found = c.repo.resolve(ref)
	}
	if found == nil {
		return notFound()
	}
	return ok(object{"ref": "refs/" + ref, "node_id": node("REF", ref), "url": c.s.api("/repos/" + c.repo.fullName() + "/git/refs/" + ref),
		"object": object{"type": "commit", "sha": found.sha, "url": c.repo.gitURL("commits", found.sha)}})
}

func getGitTree(c *call) *answer {
	sha := c.path.Params["tree_sha"]
	if found := c.repo.resolve(sha); found != nil {
		sha = found.tree
	}
	entries, found := c.repo.network.trees[sha]
	if !found {
		return notFound()
	}
	list := []any{}
	var walk func(prefix string, entries []treeEntry)
	walk = func(prefix string, entries []treeEntry) {
		for _, e := range entries {
			kind, mode := "blob", e.mode
			if mode == "40000" {
				kind, mode = "tree", "040000"
			}
			o := object{"path": prefix + e.name, "mode": mode, "type": kind, "sha": e.sha, "url": c.repo.gitURL(kind+"s", e.sha)}
			if kind == "blob" {
				o["size"] = len(c.repo.network.blobs[e.sha])
			}
			list = append(list, o)
			if kind == "tree" && c.r.URL.Query().Has("recursive") {
				walk(prefix+e.name+"/", c.repo.network.trees[e.sha])
			}
		}
	}
	walk("", entries)
	return ok(object{"sha": sha, "url": c.repo.gitURL("trees", sha), "tree": list, "truncated": false})
}

// getContents answers a file with its content, or a directory's entries.
func getContents(c *call) *answer {
	ref := c.r.URL.Query().Get("ref")
	at := c.repo.resolve(ref)
	if ref == "" {
		ref = c.repo.defaultBranch
		at = c.repo.resolve(ref)
	}
	if at == nil {
		return fail(http.StatusNotFound, "No commit found for the ref "+ref)
	}
	name := strings.Trim(c.path.Params["path"], "/")
	if file, found := at.files[name]; found {
		data := c.repo.network.blobs[file.sha]
		if accept := c.r.Header.Get("Accept"); strings.Contains(accept, "raw") {
			return &answer{status: http.StatusOK, raw: append([]byte{}, data...), header: http.Header{"Content-Type": {"application/vnd.github.raw; charset=utf-8"}}}
		}
		o := c.content(name, "file", file.sha, ref)
		o["size"], o["encoding"], o["content"] = len(data), "base64", wrap(base64.StdEncoding.EncodeToString(data))
		if len(data) > 1<<20 {
			o["encoding"], o["content"] = "none", "" // GitHub gives content up to a megabyte only
		}
		if file.mode == "120000" {
			o["type"], o["target"] = "symlink", string(data)
		}
		return ok(o)
	}
	tree := at.tree
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' }) {
		i := slices.IndexFunc(c.repo.network.trees[tree], func(e treeEntry) bool { return e.name == part && e.mode == "40000" })
		if i < 0 {
			return notFound()
		}
		tree = c.repo.network.trees[tree][i].sha
	}
	list := []any{}
	for _, e := range c.repo.network.trees[tree] {
		kind := map[string]string{"40000": "dir", "120000": "symlink"}[e.mode]
		if kind == "" {
			kind = "file"
		}
		o := c.content(path.Join(name, e.name), kind, e.sha, ref)
		o["size"] = len(c.repo.network.blobs[e.sha])
		list = append(list, o)
	}
	return ok(list)
}

func (c *call) content(name, kind, sha, ref string) object {
	u := c.s.api("/repos/" + c.repo.fullName() + "/contents/" + name + "?ref=" + ref)
	git, html := c.repo.gitURL("blobs", sha), c.repo.html("/blob/"+ref+"/"+name)
	download := any(c.repo.html("/raw/" + ref + "/" + name))
	if kind == "dir" {
		git, html, download = c.repo.gitURL("trees", sha), c.repo.html("/tree/"+ref+"/"+name), nil
	}
	return object{"type": kind, "name": path.Base(name), "path": name, "sha": sha, "size": 0, "url": u, "git_url": git, "html_url": html,
		"download_url": download, "_links": object{"self": u, "git": git, "html": html}}
}

// wrap breaks base64 into lines of 60, as GitHub does.
func wrap(text string) string {
	var b strings.Builder
	for len(text) > 60 {
		b.WriteString(text[:60] + "\n")
		text = text[60:]
	}
	return b.String() + text + "\n"
}
