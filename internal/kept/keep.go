package kept

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// unfinished is the beginning of the names of folders that are being written.
const unfinished = ".new-"

// abandoned is how old such a folder is when nobody is writing it any more.
const abandoned = time.Hour

// Keep writes the files as one entry: all of it, or nothing. What is known to be secret is taken out before. Each file keeps its end; of an entry that is
// larger than half of what a preview may have, the longest files are cut. An entry that is there already stays as it is.
func (s *Store) Keep(e Entry, files []File) error {
	if !names.MatchString(e.PreviewID) || !names.MatchString(e.folder()) {
		return fmt.Errorf("keep the logs of deployment %q of preview %q: %w", e.DeploymentID, e.PreviewID, preview.ErrInvalid)
	}
	if len(files) == 0 || s.Has(e.PreviewID, e.DeploymentID, e.Reason) {
		return nil
	}
	if err := s.write(e, files); err != nil {
		return fmt.Errorf("keep the logs of deployment %s of %s: %w", e.DeploymentID, e.Ref, err)
	}
	return s.trim(e.PreviewID)
}

func (s *Store) write(e Entry, files []File) (err error) {
	if err := s.root.Mkdir(e.PreviewID, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder := path.Join(e.PreviewID, unfinished+e.folder()+"-"+rand.Text())
	if err := s.root.Mkdir(folder, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.root.RemoveAll(folder))
		}
	}()
	e.At, e.Files = s.Now().UTC(), nil
	share := s.share(files)
	for _, f := range files {
		if !names.MatchString(f.Name) {
			continue // no name that a pod can have
		}
		text := s.hide(f.Text)
		kept := end(text, share)
		if err := s.root.WriteFile(path.Join(folder, f.Name), []byte(kept), 0o600); err != nil {
			return err
		}
		e.Files = append(e.Files, Info{Name: f.Name, Bytes: int64(len(kept)), Dropped: int64(len(text) - len(kept))})
	}
	slices.SortFunc(e.Files, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := s.root.WriteFile(path.Join(folder, about), text, 0o600); err != nil {
		return err
	}
	err = s.root.Rename(folder, path.Join(e.PreviewID, e.folder()))
	if errors.Is(err, fs.ErrExist) || s.Has(e.PreviewID, e.DeploymentID, e.Reason) && err != nil {
		return s.root.RemoveAll(folder) // somebody else was faster
	}
	return err
}

// hide takes out of each line what is secret.
func (s *Store) hide(text string) string {
	return strings.Join(s.Hide.Lines(strings.Split(text, "\n")), "\n")
}

// share is how many bytes each file may have, so that all of them together stay within half of what a preview may have.
func (s *Store) share(files []File) int {
	sizes := make([]int, len(files))
	for i, f := range files {
		sizes[i] = len(f.Text)
	}
	slices.Sort(sizes)
	left := int(s.Bytes / 2)
	for i, n := range sizes {
		if fair := left / (len(sizes) - i); n > fair {
			return fair
		}
		left -= n
	}
	return int(s.Bytes / 2)
}

// end is the end of a text, from the beginning of a line on.
func end(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[len(text)-most:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return text[i+1:]
	}
	return strings.ToValidUTF8(text, "")
}

// trim takes the oldest entries of a preview away until the rest is no more than it may have.
func (s *Store) trim(previewID string) error {
	entries, err := s.List(previewID)
	if err != nil {
		return err
	}
	var sum int64
	for _, e := range entries {
		for _, f := range e.Files {
			sum += f.Bytes
		}
		if sum > s.Bytes {
			err = errors.Join(err, s.root.RemoveAll(path.Join(previewID, e.folder())))
		}
	}
	return err
}

// Prune takes away what was kept for long enough, and what writing was broken off of.
func (s *Store) Prune() error {
	previews, err := s.folders(".")
	if err != nil {
		return fmt.Errorf("look for kept logs that are old: %w", err)
	}
	var errs []error
	for _, id := range previews {
		errs = append(errs, s.prune(id))
	}
	return errors.Join(errs...)
}

func (s *Store) prune(previewID string) error {
	list, err := fs.ReadDir(s.root.FS(), previewID)
	if err != nil {
		return fmt.Errorf("look for old kept logs of preview %s: %w", previewID, err)
	}
	left := len(list)
	for _, d := range list {
		folder := path.Join(previewID, d.Name())
		info, err := d.Info()
		if err != nil {
			continue // somebody else was faster
		}
		at, limit := info.ModTime(), abandoned
		if !strings.HasPrefix(d.Name(), unfinished) {
			limit = s.For
			if e, err := s.entry(folder); err == nil {
				at = e.At
			}
		}
		if s.Now().Sub(at) < limit {
			continue
		}
		if err := s.root.RemoveAll(folder); err != nil {
			return fmt.Errorf("take old kept logs away: %w", err)
		}
		left--
	}
	if left == 0 {
		_ = s.root.Remove(previewID) // unless something has come in just now
	}
	return nil
}
