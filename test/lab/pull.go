package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
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

// files is what a commit changes: a word in the environment of the Deployment's pods, which tells commits apart in the cluster.
func files(greeting string) fakegithub.Files {
	return fakegithub.Text(map[string]string{"values-preview.yaml": fmt.Sprintf("greeting: %q\n", greeting)})
}

// withoutPods changes the sample's chart on the main branch: the controllers roll its Deployment out all the same, but at once and at no
// cost, and in place of what would lead to pods there is a ConfigMap. What pods do is the end-to-end tests' business.
func (l *Lab) withoutPods() error {
	root, err := rig.Root()
	if err != nil {
		return err
	}
	const name = "chart/templates/deployment.yaml"
	text, err := os.ReadFile(filepath.Join(root, "examples", "hello", filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	const replicas = "replicas: {{ .Values.replicaCount }}"
	if !strings.Contains(string(text), replicas) {
		return fmt.Errorf("%s of the sample has no %q", name, replicas)
	}
	l.GitHub.Repo.Commit("main", fakegithub.Text(map[string]string{
		name:                           strings.Replace(string(text), replicas, "replicas: 0", 1),
		"chart/templates/service.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\ndata: {greeting: {{ .Values.greeting | quote }}}\n",
		"chart/templates/ingress.yaml": "{{/* nothing to lead to */}}\n",
	}), "No pods")
	return nil
}

func (l *Lab) all() []*Pull {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Pull{}, l.pulls...)
}
