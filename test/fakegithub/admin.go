package fakegithub

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The routes under /_fake/ let a script play the people: each is one method of this package. Bodies and answers are
// JSON; a Misuse is answered 422 with its text. They read directories of the machine, so serve them on loopback only.

// order is the body of every administration request; each route reads the fields it needs.
type order struct {
	Login, Kind, Slug                       string
	Owner, Name, Branch, Directory, Message string
	Private, Draft, Merge, Public, Form     bool
	Files                                   map[string]string
	Delete                                  []string
	Title, Body, Author, Head, Base         string
	HeadRepo                                string `json:"head_repo"`
	Actor, SHA, Label, Role                 string
	App, Account, URL, Secret               string
	Repositories                            []string
	Permissions                             map[string]string
	Events                                  []string
	ID                                      int64
	IDs                                     []int64
	Conclusion                              string
}

func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	for pattern, do := range s.adminRoutes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { admin(w, r, do) })
	}
	mux.ServeHTTP(w, r)
}

type adminFunc func(r *http.Request, o order) any

// admin refuses other content types than JSON, so that no page of another site can give orders through a browser.
func admin(w http.ResponseWriter, r *http.Request, do adminFunc) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case Misuse:
			writeJSON(w, http.StatusUnprocessableEntity, object{"error": problem.Error()})
		default:
			panic(problem)
		}
	}()
	var o order
	if r.Method != http.MethodGet {
		if mime, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mime != "application/json" {
			writeJSON(w, http.StatusUnsupportedMediaType, object{"error": "send Content-Type: application/json"})
			return
		}
		if r.Pattern != "POST /_fake/faults" {
			decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 32<<20))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&o); err != nil {
				writeJSON(w, http.StatusBadRequest, object{"error": "parse the body, {} at least: " + err.Error()})
				return
			}
		}
	}
	writeJSON(w, http.StatusOK, do(r, o))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // a script that went away is no concern
}

func (s *Server) adminRoutes() map[string]adminFunc {
	routes := map[string]adminFunc{
		"POST /_fake/accounts": func(_ *http.Request, o order) any {
			if o.Kind == "org" || o.Kind == "Organization" {
				return s.accountView(s.CreateOrg(o.Login))
			}
			return s.accountView(s.CreateUser(o.Login))
		},
		"POST /_fake/tokens": func(_ *http.Request, o order) any {
			return object{"token": s.needAccount(o.Login).Token()}
		},
		"POST /_fake/apps": func(_ *http.Request, o order) any {
			a := s.CreateApp(AppOptions{Slug: o.Slug, Permissions: o.Permissions, Events: o.Events, WebhookURL: o.URL, WebhookSecret: o.Secret})
			return object{"id": a.ID(), "slug": a.Slug(), "key": string(a.KeyPEM())}
		},
		"POST /_fake/webhook": func(_ *http.Request, o order) any {
			a := s.needApp(o.App)
			a.SetWebhook(o.URL, o.Secret)
			a.SetFormContentType(o.Form)
			return object{}
		},
		"POST /_fake/installations": func(_ *http.Request, o order) any {
			var repos []*Repo
			for _, name := range o.Repositories {
				repos = append(repos, s.needRepo(o.Account, name))
			}
			return object{"id": s.needApp(o.App).Install(s.needAccount(o.Account), repos...).ID()}
		},
		"POST /_fake/installations/{id}/{verb}": func(r *http.Request, o order) any {
			i := s.needInstallation(r.PathValue("id"))
			switch verb := r.PathValue("verb"); verb {
			case "delete":
				i.Delete()
			case "suspend":
				i.Suspend()
			case "unsuspend":
				i.Unsuspend()
			case "add", "remove":
				for _, name := range o.Repositories {
					i.change(verb == "add", []*Repo{s.needRepo(i.account.Login(), name)})
				}
			default:
				misuse("installation %d: cannot %s", i.id, verb)
			}
			return object{}
		},
		"GET /_fake/deliveries": func(*http.Request, order) any { return s.Deliveries() },
		"GET /_fake/deliveries/{id}": func(r *http.Request, _ order) any {
			for _, d := range s.Deliveries() {
				if strconv.FormatInt(d.ID, 10) == r.PathValue("id") {
					return json.RawMessage(d.Payload)
				}
			}
			misuse("delivery %s: there is none", r.PathValue("id"))
			return nil
		},
		"POST /_fake/deliveries/{id}/redeliver": func(r *http.Request, _ order) any {
			id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
			return object{"id": s.Redeliver(id)}
		},
		"POST /_fake/deliveries/hold":    func(*http.Request, order) any { s.HoldDeliveries(); return object{} },
		"POST /_fake/deliveries/resume":  func(*http.Request, order) any { s.ResumeDeliveries(); return object{} },
		"POST /_fake/deliveries/release": func(_ *http.Request, o order) any { s.Release(o.IDs...); return object{} },
		"POST /_fake/deliveries/drop":    func(_ *http.Request, o order) any { s.Drop(o.IDs...); return object{} },
		"GET /_fake/requests":            func(*http.Request, order) any { return s.Requests() },
		"GET /_fake/counters":            func(*http.Request, order) any { return s.Counters() },
		"DELETE /_fake/counters":         func(*http.Request, order) any { s.ResetCounters(); return object{} },
		"GET /_fake/violations":          func(*http.Request, order) any { return append([]Violation{}, s.Violations()...) },
		"POST /_fake/faults": func(r *http.Request, _ order) any {
			var f Fault
			if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
				misuse("inject a fault: %v", err)
			}
			s.Inject(f)
			return object{}
		},
		"DELETE /_fake/faults": func(*http.Request, order) any { s.ClearFaults(); return object{} },
	}
	s.adminRepoRoutes(routes)
	return routes
}

func (s *Server) adminRepoRoutes(routes map[string]adminFunc) {
	const repo = "/_fake/repos/{owner}/{repo}"
	at := func(r *http.Request) *Repo { return s.needRepo(r.PathValue("owner"), r.PathValue("repo")) }
	routes["POST /_fake/repos"] = func(_ *http.Request, o order) any {
		return s.repoView(s.needAccount(o.Owner).CreateRepo(RepoOptions{Name: o.Name, Private: o.Private, Branch: o.Branch, Files: o.files()}))
	}
	routes["GET "+repo] = func(r *http.Request, _ order) any { return s.repoView(at(r)) }
	routes["GET "+repo+"/deployments"] = func(r *http.Request, _ order) any { return at(r).Deployments() }
	routes["GET "+repo+"/checks"] = func(r *http.Request, _ order) any { return at(r).Checks() }
	routes["POST "+repo+"/commits"] = func(r *http.Request, o order) any {
		re := at(r)
		return object{"sha": re.CommitAs(s.accountOr(o.Author, re.Owner()), cmp.Or(o.Branch, re.defaultBranch), o.files(), o.Message)}
	}
	routes["POST "+repo+"/collaborators"] = func(r *http.Request, o order) any {
		at(r).AddCollaborator(s.needAccount(o.Login), cmp.Or(o.Role, "write"))
		return object{}
	}
	routes["POST "+repo+"/fork"] = func(r *http.Request, o order) any { return s.repoView(at(r).Fork(s.needAccount(o.Owner))) }
	routes["POST "+repo+"/rename"] = func(r *http.Request, o order) any { re := at(r); re.Rename(o.Name); return s.repoView(re) }
	routes["POST "+repo+"/transfer"] = func(r *http.Request, o order) any {
		re := at(r)
		re.Transfer(s.needAccount(o.Owner))
		return s.repoView(re)
	}
	routes["POST "+repo+"/delete"] = func(r *http.Request, _ order) any { at(r).Delete(); return object{} }
	routes["POST "+repo+"/runs"] = func(r *http.Request, o order) any {
		if o.ID != 0 {
			at(r).FinishRun(o.ID, cmp.Or(o.Conclusion, "success"))
			return object{"id": o.ID}
		}
		return object{"id": at(r).StartRun(cmp.Or(o.Name, "ci"), o.Branch, o.SHA)}
	}
	routes["POST "+repo+"/pulls"] = func(r *http.Request, o order) any {
		re := at(r)
		options := PullOptions{Title: o.Title, Body: o.Body, Head: o.Head, Base: o.Base, Draft: o.Draft, Files: o.files()}
		if o.HeadRepo != "" {
			owner, name, _ := strings.Cut(o.HeadRepo, "/")
			options.HeadRepo = s.needRepo(owner, name)
		}
		if o.Author != "" {
			options.Author = s.needAccount(o.Author)
		}
		return pullSummary(re.OpenPull(options))
	}
	routes["GET "+repo+"/pulls/{number}"] = func(r *http.Request, _ order) any { return pullSummary(s.needPull(r)) }
	routes["GET "+repo+"/pulls/{number}/comments"] = func(r *http.Request, _ order) any { return s.needPull(r).Comments() }
	routes["POST "+repo+"/pulls/{number}/{verb}"] = s.adminPull
}

func (s *Server) adminPull(r *http.Request, o order) any {
	p := s.needPull(r)
	p = p.As(s.accountOr(o.Actor, p.actor))
	switch verb := r.PathValue("verb"); verb {
	case "push":
		p.Push(o.files(), o.Message)
	case "force-push":
		p.ForcePush(o.SHA)
	case "close":
		p.Close(o.Merge)
	case "reopen":
		p.Reopen()
	case "draft":
		p.SetDraft(true)
	case "ready":
		p.SetDraft(false)
	case "label":
		p.Label(o.Label)
	case "unlabel":
		p.Unlabel(o.Label)
	case "comments":
		return object{"id": p.Comment(o.Body)}
	case "edit-comment":
		p.EditComment(o.ID, o.Body)
	case "delete-comment":
		p.DeleteComment(o.ID)
	case "title":
		p.SetTitle(o.Title)
	case "base":
		p.SetBase(o.Base)
	case "lock":
		p.Lock()
	default:
		misuse("pull request %s: cannot %s", p.p, verb)
	}
	return pullSummary(p)
}

// files are the order's directory with its files over it.
func (o order) files() Files {
	files := Text(o.Files)
	if o.Directory != "" {
		read, err := Directory(o.Directory)
		if err != nil {
			misuse("%v", err)
		}
		for name, file := range files {
			read[name] = file
		}
		files = read
	}
	for _, name := range o.Delete {
		files[name] = File{Delete: true}
	}
	if len(files) == 0 {
		return nil
	}
	return files
}

// Directory reads the files below a directory, but for .git.
func Directory(dir string) (Files, error) {
	files := Files{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && d.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		file := File{Mode: "100644"}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			file = File{Content: []byte(target), Mode: "120000"}
		case !info.Mode().IsRegular():
			return nil
		default:
			if file.Content, err = os.ReadFile(name); err != nil {
				return err
			}
			if info.Mode()&0o100 != 0 {
				file.Mode = "100755"
			}
		}
		files[filepath.ToSlash(relative)] = file
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there are no files in it")
	}
	if err != nil {
		return nil, fmt.Errorf("read directory %s: %w", dir, err)
	}
	return files, nil
}

func (s *Server) needAccount(login string) *Account {
	a := s.Account(login)
	if a == nil {
		misuse("account %q: there is none of that login", login)
	}
	return a
}

func (s *Server) accountOr(login string, otherwise *Account) *Account {
	if login == "" {
		return otherwise
	}
	return s.needAccount(login)
}

func (s *Server) needRepo(owner, name string) *Repo {
	r := s.Repo(owner, name)
	if r == nil {
		misuse("repository %s/%s: there is none of that name", owner, name)
	}
	return r
}

func (s *Server) needPull(r *http.Request) *Pull {
	number, _ := strconv.ParseInt(r.PathValue("number"), 10, 64)
	p := s.needRepo(r.PathValue("owner"), r.PathValue("repo")).Pull(number)
	if p == nil {
		misuse("pull request %s of %s/%s: there is none", r.PathValue("number"), r.PathValue("owner"), r.PathValue("repo"))
	}
	return p
}

func (s *Server) needApp(slug string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slug == "" && len(s.apps) > 0 {
		return s.apps[0]
	}
	a := s.appBySlug(slug)
	if a == nil {
		misuse("app %q: there is none of that slug", slug)
	}
	return a
}

func (s *Server) needInstallation(id string) *Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, _ := strconv.ParseInt(id, 10, 64)
	i := s.installs[number]
	if i == nil || i.deleted {
		misuse("installation %s: there is none", id)
	}
	return i
}

func (s *Server) accountView(a *Account) object { return object{"id": a.ID(), "login": a.Login()} }

func (s *Server) repoView(r *Repo) object {
	defer r.lock()()
	return object{"id": r.id, "full_name": r.fullName(), "default_branch": r.defaultBranch, "branches": r.branches}
}

func pullSummary(p *Pull) object {
	return object{"number": p.Number(), "url": p.URL(), "sha": p.HeadSHA(), "state": p.State()}
}
