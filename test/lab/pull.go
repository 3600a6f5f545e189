package lab

import (
	"fmt"

	"catalyst.dev/catalyst/test/fakegithub"
)

// Pull is a pull request and what its commits say.
type Pull struct {
	*fakegithub.Pull

	greetings map[string]string // by commit: what the preview must greet with
}

// Open opens a pull request with a commit of its own.
func (l *Lab) Open(title string) *Pull {
	text := title + " 1"
	p := &Pull{greetings: map[string]string{}}
	p.Pull = l.GitHub.Repo.OpenPull(fakegithub.PullOptions{Title: title, Author: l.GitHub.Author, Files: files(text)})
	p.greetings[p.HeadSHA()] = text
	l.mu.Lock()
	l.pulls = append(l.pulls, p)
	l.mu.Unlock()
	return p
}

// Push adds a commit to the pull request. Of one pull request only one goroutine may push.
func (p *Pull) Push() {
	text := fmt.Sprintf("pull request %d, commit %d", p.Number(), len(p.greetings)+1)
	p.greetings[p.Pull.Push(files(text), text)] = text
}

// files is what a commit changes: a word in the environment of the Deployment's pods, which tells commits apart in the cluster. There
// are no pods: their Deployment is rolled out by the controllers all the same, at once, and what pods do is the end-to-end tests' business.
func files(greeting string) fakegithub.Files {
	return fakegithub.Text(map[string]string{"values-preview.yaml": fmt.Sprintf("greeting: %q\nreplicaCount: 0\n", greeting)})
}

func (l *Lab) all() []*Pull {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Pull{}, l.pulls...)
}
