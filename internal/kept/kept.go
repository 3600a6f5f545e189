// Package kept keeps the last logs and events of failed and deleted previews on this process's disk for a while, so that a failure can be
// read after its namespace is gone.
//
// It is a help and no record: it never holds up a deletion, and what cannot be written is left out. It must not know a cluster or a
// database; what it is given is foreign text, and what it knows to be secret does not get onto the disk.
package kept

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// Reason says when something was kept.
type Reason string

// The reasons.
const (
	Failed  Reason = "failed"  // the deployment failed
	Deleted Reason = "deleted" // the preview was about to be removed
)

// Entry is what was kept of one deployment at one time.
type Entry struct {
	PreviewID    string    `json:"preview_id"`
	DeploymentID string    `json:"deployment_id"`
	Reason       Reason    `json:"reason"`
	Ref          string    `json:"ref"` // for people: "owner/name#7"
	SHA          string    `json:"sha"`
	At           time.Time `json:"at"`
	Files        []Info    `json:"files"` // by name
}

// Info is one file of an entry.
type Info struct {
	Name    string `json:"name"` // "events.txt", "POD.CONTAINER.log", "POD.CONTAINER.previous.log"
	Bytes   int64  `json:"bytes"`
	Dropped int64  `json:"dropped,omitempty"` // bytes at its beginning that were left out
}

// File is a text to be kept.
type File struct{ Name, Text string }

// Options say where and how much is kept.
type Options struct {
	Dir   string        // made if need be
	For   time.Duration // how long
	Bytes int64         // the most of one preview; what was kept first goes first
	Hide  *redact.Redactor
	Now   func() time.Time // nil: the clock
}

// Store is a directory of kept files. Safe for concurrent use, by several processes too.
type Store struct {
	Options
	root *os.Root
}

// Open returns the store in the directory. Close it.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the directory of kept logs: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of kept logs: %w", err)
	}
	return &Store{Options: o, root: root}, nil
}

// Close closes the directory.
func (s *Store) Close() error { return s.root.Close() }

// names are those that may be part of a path here; whatever else comes in is no path.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,250}$`)

// about is the file that describes an entry; no other can have its name.
const about = "_entry.json"

func (e Entry) folder() string { return e.DeploymentID + "." + string(e.Reason) }

// Has reports whether something was kept of the deployment for that reason.
func (s *Store) Has(previewID, deploymentID string, r Reason) bool {
	e := Entry{PreviewID: previewID, DeploymentID: deploymentID, Reason: r}
	if !names.MatchString(previewID) || !names.MatchString(e.folder()) {
		return false
	}
	_, err := s.root.Stat(path.Join(previewID, e.folder()))
	return err == nil
}

// List returns what is kept of a preview, the newest first; nothing when there is nothing.
func (s *Store) List(previewID string) ([]Entry, error) {
	if !names.MatchString(previewID) {
		return nil, fmt.Errorf("preview %q: %w", previewID, preview.ErrInvalid)
	}
	folders, err := s.folders(previewID)
	if err != nil {
		return nil, fmt.Errorf("list what is kept of preview %s: %w", previewID, err)
	}
	var entries []Entry
	for _, folder := range folders {
		if e, err := s.entry(path.Join(previewID, folder)); err == nil { // one that is just being taken away is none
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.folder(), b.folder())) })
	return entries, nil
}

// Read opens a file of an entry. preview.ErrNotFound when it is not there, or not any more.
func (s *Store) Read(e Entry, name string) (io.ReadCloser, error) {
	if !names.MatchString(e.PreviewID) || !names.MatchString(e.folder()) || !names.MatchString(name) {
		return nil, fmt.Errorf("kept file %q: %w", name, preview.ErrInvalid)
	}
	f, err := s.root.Open(path.Join(e.PreviewID, e.folder(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kept file %s of deployment %s: %w", name, e.DeploymentID, preview.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open kept file %s of deployment %s: %w", name, e.DeploymentID, err)
	}
	return f, nil
}

// folders are the names of the folders in one.
func (s *Store) folders(in string) ([]string, error) {
	list, err := fs.ReadDir(s.root.FS(), in)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, d := range list {
		if d.IsDir() && names.MatchString(d.Name()) {
			found = append(found, d.Name())
		}
	}
	return found, err
}

func (s *Store) entry(folder string) (Entry, error) {
	var e Entry
	b, err := s.root.ReadFile(path.Join(folder, about))
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(b, &e)
}
