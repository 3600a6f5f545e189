package fakegithub

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Repo is a repository.
type Repo struct {
	s             *Server
	id            int64
	owner         *Account
	name          string
	private       bool
	deleted       bool
	parent        *Repo
	network       *network
	branches      map[string]string // name to commit SHA
	defaultBranch string
	roles         map[int64]string // account id to "read", "triage", "write", "maintain" or "admin"
	pulls         map[int64]*pull
	labels        map[string]*label
	lastNumber    int64
	created       time.Time
	pushed        time.Time
	statuses      []*status
	checks        []*checkRun
	deployments   []*deployment
	environments  []*environment
	runs          []*workflowRun
	lastRun       int64
}

// RepoOptions describe a repository.
type RepoOptions struct {
	Name    string
	Private bool
	Branch  string // "main" when empty
	Files   Files  // the first commit, a README when nil
}

// CreateRepo adds a repository with one commit.
func (a *Account) CreateRepo(options RepoOptions) *Repo {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	branch := cmp.Or(options.Branch, "main")
	r := a.s.addRepo(a, options.Name, newNetwork())
	r.private, r.defaultBranch = options.Private, branch
	files := options.Files
	if files == nil {
		files = Text(map[string]string{"README.md": "# " + options.Name + "\n"})
	}
	r.branches[branch] = r.network.write(nil, files, a, "Initial commit", a.s.now()).sha
	return r
}

func (s *Server) addRepo(owner *Account, name string, n *network) *Repo {
	if name == "" || strings.ContainsAny(name, "/ ") {
		misuse("create repository %q: not a name", name)
	}
	r := &Repo{s: s, id: s.id(), owner: owner, name: name, network: n, branches: map[string]string{}, roles: map[int64]string{},
		pulls: map[int64]*pull{}, labels: map[string]*label{}, created: s.now(), pushed: s.now()}
	s.claim(r)
	s.repos[r.id] = r
	return r
}

// claim gives the repository its name; an old redirect under that name ends, as GitHub's does.
func (s *Server) claim(r *Repo) {
	if other := s.repos[s.names[r.key()]]; other != nil && other != r && !other.deleted && other.key() == r.key() {
		misuse("name a repository %s: the name is taken", r.fullName())
	}
	s.names[r.key()] = r.id
}

func (r *Repo) fullName() string { return r.owner.login + "/" + r.name }
func (r *Repo) key() string      { return strings.ToLower(r.fullName()) }

// Repo returns the repository now called owner/name, nil when there is none.
func (s *Server) Repo(owner, name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[s.names[strings.ToLower(owner+"/"+name)]]
	if r == nil || r.deleted || r.key() != strings.ToLower(owner+"/"+name) {
		return nil
	}
	return r
}

// ID returns the repository's number, which a rename or transfer does not change.
func (r *Repo) ID() int64 { return r.id }

// Owner returns the account the repository belongs to now.
func (r *Repo) Owner() *Account { defer r.lock()(); return r.owner }

// Name returns the repository's name without its owner.
func (r *Repo) Name() string { defer r.lock()(); return r.name }

// FullName returns "owner/name".
func (r *Repo) FullName() string { defer r.lock()(); return r.fullName() }

// SHA returns the commit a branch points at.
func (r *Repo) SHA(branch string) string { defer r.lock()(); return r.mustBranch(branch) }

func (r *Repo) lock() func() { r.s.mu.Lock(); return r.s.mu.Unlock }

func (r *Repo) mustBranch(branch string) string {
	sha, ok := r.branches[branch]
	if !ok {
		misuse("branch %s of %s: there is none", branch, r.fullName())
	}
	return sha
}

// AddCollaborator gives a person a role: read, triage, write, maintain or admin.
func (r *Repo) AddCollaborator(person *Account, role string) {
	defer r.lock()()
	if !slices.Contains(roles(), role) {
		misuse("add %s to %s as %s: no such role", person.login, r.fullName(), role)
	}
	r.roles[person.id] = role
}

// RemoveCollaborator takes a person's role away.
func (r *Repo) RemoveCollaborator(person *Account) { defer r.lock()(); delete(r.roles, person.id) }

func roles() []string { return []string{"none", "read", "triage", "write", "maintain", "admin"} }

// role returns what an account may do to the repository.
func (r *Repo) role(a *Account) string {
	switch {
	case a == nil:
	case a == r.owner:
		return "admin"
	case r.roles[a.id] != "":
		return r.roles[a.id]
	default:
		if _, member := r.owner.members[a.id]; member {
			return "read"
		}
	}
	if r.private {
		return "none"
	}
	return "read"
}

func (r *Repo) atLeast(a *Account, role string) bool {
	return slices.Index(roles(), r.role(a)) >= slices.Index(roles(), role)
}

// association says how an account belongs to the repository. To a webhook, which is made for no reader, a private
// membership does not show.
func (r *Repo) association(a *Account, webhook bool) string {
	public, member := r.owner.members[a.id]
	switch {
	case a == r.owner:
		return "OWNER"
	case member && (public || !webhook):
		return "MEMBER"
	case r.roles[a.id] != "":
		return "COLLABORATOR"
	}
	for _, c := range r.network.ancestors(r.branches[r.defaultBranch]) {
		if c.author == a {
			return "CONTRIBUTOR"
		}
	}
	return "NONE"
}

// Commit adds a commit with the changes to a branch, in the owner's name, and returns its SHA. A branch that does not
// exist starts at the default branch. Pull requests from that branch are synchronized.
func (r *Repo) Commit(branch string, changes Files, message string) string {
	return r.CommitAs(r.owner, branch, changes, message)
}

// CommitAs is Commit in the name of another account.
func (r *Repo) CommitAs(author *Account, branch string, changes Files, message string) string {
	defer r.lock()()
	return r.commit(author, branch, changes, message)
}

func (r *Repo) commit(author *Account, branch string, changes Files, message string) string {
	parent, ok := r.branches[branch]
	if !ok {
		parent = r.mustBranch(r.defaultBranch)
	}
	c := r.network.write([]string{parent}, changes, author, cmp.Or(message, "Update"), r.s.now())
	r.move(author, branch, c.sha)
	return c.sha
}

// SetBranch points a branch at any commit of the repository or its forks: a force push when that is not ahead.
func (r *Repo) SetBranch(branch, sha string) {
	defer r.lock()()
	r.move(r.owner, branch, sha)
}

// DeleteBranch deletes a branch; pull requests from it are closed.
func (r *Repo) DeleteBranch(branch string) {
	defer r.lock()()
	old := r.mustBranch(branch)
	delete(r.branches, branch)
	r.s.emitPush(r, r.owner, "refs/heads/"+branch, old, zeroSHA)
	for _, p := range r.headed(branch) {
		p.close(r.owner)
	}
}

const zeroSHA = "0000000000000000000000000000000000000000"

// move points a branch at a commit and tells everybody.
func (r *Repo) move(actor *Account, branch, sha string) {
	if r.network.commits[sha] == nil {
		misuse("point %s of %s at %s: no such commit", branch, r.fullName(), sha)
	}
	old, ok := r.branches[branch]
	if old == sha {
		return
	}
	if !ok {
		old = zeroSHA
	}
	r.branches[branch] = sha
	r.pushed = r.s.now()
	r.s.emitPush(r, actor, "refs/heads/"+branch, old, sha)
	for _, p := range r.headed(branch) {
		p.synchronize(actor, sha)
	}
}

// headed returns the open pull requests whose head is the branch.
func (r *Repo) headed(branch string) []*pull {
	var found []*pull
	for _, base := range r.s.repos {
		for _, p := range base.pulls {
			if p.headRepo == r && p.headRef == branch && p.open() {
				found = append(found, p)
			}
		}
	}
	slices.SortFunc(found, func(a, b *pull) int { return cmp.Compare(a.id, b.id) })
	return found
}

// Fork copies the repository to another account.
func (r *Repo) Fork(owner *Account) *Repo {
	defer r.lock()()
	f := r.s.addRepo(owner, r.name, r.network)
	f.parent, f.private, f.defaultBranch = r, r.private, r.defaultBranch
	for name, sha := range r.branches {
		f.branches[name] = sha
	}
	return f
}

// SetPrivate makes the repository private, or public again. No webhook tells of it.
func (r *Repo) SetPrivate(private bool) { defer r.lock()(); r.private = private }

// Rename gives the repository another name; the old one redirects until another repository takes it.
func (r *Repo) Rename(name string) {
	defer r.lock()()
	old := r.name
	r.name = name
	r.s.claim(r)
	r.s.emit(r, "repository", "renamed", object{"changes": object{"repository": object{"name": object{"from": old}}}}, r.owner)
}

// Transfer gives the repository to another account; only Apps of the new owner hear of it.
func (r *Repo) Transfer(owner *Account) {
	defer r.lock()()
	from := object{"user": r.s.user(r.owner)}
	if r.owner.kind == "Organization" {
		from = object{"organization": r.s.organization(r.owner)}
	}
	for _, i := range r.s.installs {
		delete(i.repos, r.id)
	}
	r.owner = owner
	r.s.claim(r)
	r.s.emit(r, "repository", "transferred", object{"changes": object{"owner": object{"from": from}}}, owner)
}

// Delete deletes the repository. Nobody hears of it, as GitHub says of Apps; pull requests from it are closed with an
// empty head repository.
func (r *Repo) Delete() {
	defer r.lock()()
	r.deleted = true
	for _, base := range r.s.repos {
		for _, p := range base.pulls {
			if p.headRepo == r {
				p.headRepo = nil
				if p.open() && base != r {
					p.close(r.owner)
				}
			}
		}
	}
}

// resolve finds a commit by SHA, by a unique start of one, or by the name of a branch.
func (r *Repo) resolve(ref string) *commit {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/"), "heads/")
	if sha, ok := r.branches[name]; ok {
		return r.network.commits[sha]
	}
	if number, ok := strings.CutPrefix(strings.TrimPrefix(ref, "refs/"), "pull/"); ok {
		for _, p := range r.pulls {
			if number == p.numberText()+"/head" {
				return r.network.commits[p.headSHA]
			}
		}
	}
	if c := r.network.commits[ref]; c != nil {
		return c
	}
	var found *commit
	for sha, c := range r.network.commits {
		if len(ref) >= 7 && strings.HasPrefix(sha, ref) {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}
