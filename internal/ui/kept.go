package ui

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
)

// Kept is where the last logs of failed and deleted previews are.
type Kept interface {
	List(previewID string) ([]kept.Entry, error)
	Read(e kept.Entry, name string) (io.ReadCloser, error)
}

// entries are what is kept of the preview; nothing when nothing is kept at all.
func (u *ui) entries(p preview.Preview) ([]kept.Entry, error) {
	if u.Kept == nil {
		return nil, nil
	}
	return u.Kept.List(p.ID)
}

// kept shows a kept file as text. What is named in the address has to be in the list: nothing else is ever opened.
func (u *ui) kept(w http.ResponseWriter, r *http.Request) {
	entries, err := u.entries(access.Preview(r.Context()))
	if err != nil {
		u.fail(w, r, err)
		return
	}
	for _, e := range entries {
		for _, f := range e.Files {
			if e.DeploymentID == r.PathValue("of") && string(e.Reason) == r.PathValue("reason") && f.Name == r.PathValue("file") {
				u.showKept(w, r, e, f.Name)
				return
			}
		}
	}
	u.fail(w, r, fmt.Errorf("kept file %q: %w", r.PathValue("file"), preview.ErrNotFound))
}

func (u *ui) showKept(w http.ResponseWriter, r *http.Request, e kept.Entry, name string) {
	file, err := u.Kept.Read(e, name)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	defer func() { _ = file.Close() }()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	for in := bufio.NewReader(file); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			_, _ = io.WriteString(w, logs.Plain(strings.TrimRight(line, "\r\n"))+"\n")
		}
		if err != nil {
			return // what is there was shown
		}
	}
}
