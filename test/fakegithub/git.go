package fakegithub

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// File is one file of a commit.
type File struct {
	Content []byte
	Mode    string // git's: "100644" when empty, "100755" executable, "120000" symbolic link
	Delete  bool   // take the file out
}

// Files are changes to a tree, by slash-separated path.
type Files map[string]File

// Text returns plain files with the contents given.
func Text(contents map[string]string) Files {
	files := Files{}
	for name, content := range contents {
		files[name] = File{Content: []byte(content)}
	}
	return files
}

// network holds the objects of a repository and its forks, which GitHub shares between them too: a commit of a fork can
// be read through the repository it was forked from, and one that was force-pushed away stays.
type network struct {
	blobs   map[string][]byte
	trees   map[string][]treeEntry
	commits map[string]*commit
}

type treeEntry struct{ mode, name, sha string }

type entry struct{ mode, sha string }

type commit struct {
	sha, tree string
	parents   []string
	author    *Account
	when      time.Time
	message   string
	files     map[string]entry
}

func newNetwork() *network {
	return &network{blobs: map[string][]byte{}, trees: map[string][]treeEntry{}, commits: map[string]*commit{}}
}

func objectSHA(kind string, data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// write adds a commit with the changes upon its first parent's files.
func (n *network) write(parents []string, changes Files, author *Account, message string, when time.Time) *commit {
	files := map[string]entry{}
	if len(parents) > 0 {
		files = maps.Clone(n.commits[parents[0]].files)
	}
	for name, file := range changes {
		if name == "" || path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "../") {
			misuse("commit file %q: not a clean relative path", name)
		}
		if file.Delete {
			delete(files, name)
			continue
		}
		sha := objectSHA("blob", file.Content)
		n.blobs[sha] = file.Content
		files[name] = entry{cmp.Or(file.Mode, "100644"), sha}
	}
	return n.add(parents, files, author, message, when)
}

func (n *network) add(parents []string, files map[string]entry, author *Account, message string, when time.Time) *commit {
	c := &commit{parents: parents, files: files, author: author, when: when.Truncate(time.Second), message: message}
	c.tree = n.writeTree(files)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.tree)
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	who := fmt.Sprintf("%s <%s> %d +0000", author.login, author.email(), c.when.Unix())
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s", who, who, message)
	c.sha = objectSHA("commit", b.Bytes())
	n.commits[c.sha] = c
	return c
}

func (n *network) writeTree(files map[string]entry) string {
	type dir = map[string]entry
	var entries []treeEntry
	below := map[string]dir{}
	for name, file := range files {
		first, rest, nested := strings.Cut(name, "/")
		if !nested {
			entries = append(entries, treeEntry{file.mode, name, file.sha})
			continue
		}
		if below[first] == nil {
			below[first] = dir{}
		}
		below[first][rest] = file
	}
	for name, d := range below {
		entries = append(entries, treeEntry{"40000", name, n.writeTree(d)})
	}
	// git sorts a directory as if its name ended in a slash.
	slices.SortFunc(entries, func(a, b treeEntry) int { return strings.Compare(a.key(), b.key()) })
	var b bytes.Buffer
	for _, e := range entries {
		raw, _ := hex.DecodeString(e.sha)
		fmt.Fprintf(&b, "%s %s\x00%s", e.mode, e.name, raw)
	}
	sha := objectSHA("tree", b.Bytes())
	n.trees[sha] = entries
	return sha
}

func (e treeEntry) key() string {
	if e.mode == "40000" {
		return e.name + "/"
	}
	return e.name
}

func (a *Account) email() string {
	return fmt.Sprintf("%d+%s@users.noreply.github.com", a.id, a.login)
}

// ancestors returns the commits reachable from sha, itself first, newest first.
func (n *network) ancestors(sha string) []*commit {
	seen := map[string]bool{}
	var list []*commit
	todo := []string{sha}
	for len(todo) > 0 {
		c := n.commits[todo[0]]
		todo = todo[1:]
		if c == nil || seen[c.sha] {
			continue
		}
		seen[c.sha] = true
		list = append(list, c)
		todo = append(todo, c.parents...)
	}
	slices.SortStableFunc(list, func(a, b *commit) int { return b.when.Compare(a.when) })
	return list
}

// mergeBase returns the newest commit that both reach, nil when there is none.
func (n *network) mergeBase(a, b string) *commit {
	reach := map[string]bool{}
	for _, c := range n.ancestors(a) {
		reach[c.sha] = true
	}
	todo := []string{b}
	for len(todo) > 0 {
		c := n.commits[todo[0]]
		todo = todo[1:]
		if c == nil {
			continue
		}
		if reach[c.sha] {
			return c
		}
		todo = append(todo, c.parents...)
	}
	return nil
}

// between returns the commits that head reaches and base does not, oldest first.
func (n *network) between(base, head string) []*commit {
	known := map[string]bool{}
	for _, c := range n.ancestors(base) {
		known[c.sha] = true
	}
	list := slices.DeleteFunc(n.ancestors(head), func(c *commit) bool { return known[c.sha] })
	slices.Reverse(list)
	return list
}

// merge returns the files of both sides, and whether no file was changed differently by both.
func (n *network) merge(base, head string) (map[string]entry, bool) {
	origin := map[string]entry{}
	if c := n.mergeBase(base, head); c != nil {
		origin = c.files
	}
	ours, theirs := n.commits[base].files, n.commits[head].files
	merged := maps.Clone(ours)
	clean := true
	names := maps.Clone(origin)
	maps.Copy(names, theirs)
	for name := range names {
		was, now := origin[name], theirs[name]
		if was == now {
			continue
		}
		if ours[name] != was && ours[name] != now {
			clean = false
		}
		if now == (entry{}) {
			delete(merged, name)
		} else {
			merged[name] = now
		}
	}
	return merged, clean
}
