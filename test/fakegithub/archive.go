package fakegithub

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// getTarball sends the caller to another host, with a ticket of five minutes when the repository is private.
func getTarball(c *call) *answer {
	ref := cmp.Or(c.path.Params["ref"], c.repo.defaultBranch)
	if c.repo.branches[ref] != "" {
		ref = "refs/heads/" + ref
	}
	location := c.s.options.ArchiveURL + "/" + c.repo.fullName() + "/legacy.tar.gz/" + ref
	if c.repo.private {
		ticket := strings.ToUpper(randomHex(15))
		c.s.tickets[ticket] = c.s.options.Now().Add(5 * time.Minute)
		location += "?token=" + ticket
	}
	return &answer{status: http.StatusFound, header: http.Header{"Location": {location}, "Content-Type": {"text/html;charset=utf-8"}}}
}

// ArchiveHandler serves the archives that the API's tarball operation redirects to. A request that carries a token of
// the API is a violation: the redirect leaves the host the token is for.
func (s *Server) ArchiveHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{owner}/{repo}/legacy.tar.gz/{ref...}", s.serveArchive)
	return mux
}

func (s *Server) serveArchive(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		s.violate("archive", "GET "+r.URL.Path, errors.New("the request carries an Authorization header that is for the API's host"))
	}
	repo := s.repos[s.names[strings.ToLower(r.PathValue("owner")+"/"+r.PathValue("repo"))]]
	if repo == nil || repo.deleted {
		http.NotFound(w, r)
		return
	}
	ends, ticketed := s.tickets[r.URL.Query().Get("token")]
	if repo.private && (!ticketed || !s.options.Now().Before(ends)) {
		http.NotFound(w, r)
		return
	}
	c := repo.resolve(r.PathValue("ref"))
	if c == nil {
		http.NotFound(w, r)
		return
	}
	top := repo.owner.login + "-" + repo.name + "-" + c.sha[:7]
	data, err := repo.network.archive(c, top)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+top+".tar.gz")
	_, _ = w.Write(data) // a client that went away is no concern of GitHub's
}

// archive is what git archive makes: a global header with the commit, then directories and files below top.
func (n *network) archive(c *commit, top string) ([]byte, error) {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	out := tar.NewWriter(zip)
	err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": c.sha}})
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", c.sha, err)
	}
	made := map[string]bool{}
	var mkdir func(dir string) error
	mkdir = func(dir string) error {
		if made[dir] || dir == "." {
			return nil
		}
		made[dir] = true
		if err := mkdir(path.Dir(dir)); err != nil {
			return err
		}
		return out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o775, Uname: "root", Gname: "root", ModTime: c.when})
	}
	if err := mkdir(top); err != nil {
		return nil, fmt.Errorf("archive %s: %w", c.sha, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		file := c.files[name]
		full := top + "/" + name
		if err := mkdir(path.Dir(full)); err != nil {
			return nil, fmt.Errorf("archive %s: %w", c.sha, err)
		}
		data := n.blobs[file.sha]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: full, Mode: 0o664, Size: int64(len(data)), Uname: "root", Gname: "root", ModTime: c.when}
		switch file.mode {
		case "100755":
			h.Mode = 0o775
		case "120000":
			h.Typeflag, h.Linkname, h.Mode, h.Size, data = tar.TypeSymlink, string(data), 0o777, 0, nil
		}
		if err := out.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("archive %s of %s: %w", name, c.sha, err)
		}
		if _, err := out.Write(data); err != nil {
			return nil, fmt.Errorf("archive %s of %s: %w", name, c.sha, err)
		}
	}
	if err := errors.Join(out.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("archive %s: %w", c.sha, err)
	}
	return buf.Bytes(), nil
}
