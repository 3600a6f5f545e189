// Package e2e posts webhooks and reads comments, with the real cluster behind them: Catalyst runs as a process of its own,
// as its users run it.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

// limit is how long one step may take on a busy machine.
const limit = 90 * time.Second

// bench is what a test has: a cluster shared by all, a GitHub and a Catalyst of its own.
type bench struct {
	*testing.T
	cluster *rig.Cluster
	github  *rig.GitHub
	server  *rig.Catalyst
	config  map[string]any
	binary  string
}

// shared is made once for all tests of the package.
var shared = sync.OnceValues(func() (*bench, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	name := os.Getenv("CATALYST_TEST_CLUSTER")
	if name == "" {
		name = "test"
	}
	cluster, err := rig.StartCluster(ctx, name, os.Stderr)
	if err != nil {
		return nil, err
	}
	binary, err := rig.BuildCatalyst(ctx)
	return &bench{cluster: cluster, binary: binary}, err
})

// setup gives a test its own GitHub and a Catalyst that listens to it, with namespaces that no other test uses. change may adapt the configuration.
func setup(t *testing.T, change func(config map[string]any)) *bench {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, cluster: s.cluster, binary: s.binary}
	listen, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if b.github, err = rig.StartGitHub("http://"+listen+"/webhooks/github", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.github.Stop)
	b.github.Repo.Rename(strings.ToLower(t.Name())) // the namespace is named after the repository
	b.config = rig.Config(listen, b.github, b.cluster)
	b.config["instance"] = strings.ToLower(t.Name())
	b.config["repositories"].([]any)[0].(map[string]any)["name"] = b.github.Repo.FullName()
	if change != nil {
		change(b.config)
	}
	if err := b.clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(func() {
		if err := b.server.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() { // what it made stays to be looked at
			t.Logf("the end of Catalyst's log:\n%s", b.server.Log())
		} else if err := b.clear(context.Background()); err != nil {
			t.Error(err)
		}
		for _, v := range b.github.Violations() {
			t.Errorf("GitHub would not accept: %s", v)
		}
	})
	return b
}

// clear removes the namespaces of this test's Catalyst.
func (b *bench) clear(ctx context.Context) error {
	_, err := b.cluster.Kubectl(ctx, "delete", "namespaces", "-l", "catalyst.dev/instance="+strings.ToLower(b.Name()))
	return err
}

func (b *bench) start() {
	b.Helper()
	var dir string
	if b.server != nil {
		dir = b.server.Dir
	} else {
		dir = b.TempDir()
	}
	var err error
	if b.server, err = rig.StartCatalyst(b.Context(), b.binary, dir, b.config); err != nil {
		b.Fatal(err)
	}
}

// open opens a pull request whose image is there before anybody can see it.
func (b *bench) open(title string, files map[string]string) *fakegithub.Pull {
	b.Helper()
	branch, _ := b.commit(b.github.Repo.SHA("main"), files)
	return b.github.Repo.OpenPull(fakegithub.PullOptions{Title: title, Author: b.github.Author, Head: branch})
}

// push pushes to the pull request a commit whose image is there, and returns the new head.
func (b *bench) push(pull *fakegithub.Pull, files map[string]string) string {
	b.Helper()
	_, sha := b.commit(pull.HeadSHA(), files)
	pull.ForcePush(sha)
	return sha
}

// commit makes a commit with its image; without files, one that changes nothing in the chart.
func (b *bench) commit(parent string, files map[string]string) (branch, sha string) {
	b.Helper()
	if len(files) == 0 {
		files = map[string]string{"NOTES.md": time.Now().String()}
	}
	branch, sha, err := b.github.Commit(b.Context(), b.cluster, parent, files)
	if err != nil {
		b.Fatal(err)
	}
	return branch, sha
}

// failing is the template of a Deployment of the application that can fail. args and env say how.
func failing(args, env string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: hello}}
  template:
    metadata: {labels: {app.kubernetes.io/name: hello}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: hello
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          %s
          env:
            - {name: COMMIT, value: "{{ .Values.image.tag }}"}
            - %s
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          resources: {{- toYaml .Values.resources | nindent 12 }}
`, args, env)
}

// image makes the application that can fail the image of a commit.
func (b *bench) image(sha string) {
	b.Helper()
	binary, err := rig.Build(b.Context(), "failing", "./test/app")
	if err == nil {
		_, err = b.cluster.PushImage(b.Context(), "hello:"+sha, binary)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// comment waits until Catalyst's one comment has all the parts, and returns it.
func (b *bench) comment(pull *fakegithub.Pull, parts ...string) string {
	b.Helper()
	var body string
	err := rig.Until(b.Context(), limit, fmt.Sprintf("the comment has %q", parts), func() (bool, error) {
		ours := 0
		for _, c := range pull.Comments() {
			if c.AppID == b.github.App.ID() {
				body = c.Body
				ours++
			}
		}
		if ours > 1 {
			return false, errors.New("there are two comments")
		}
		return hasAll(body, parts), nil
	})
	if err != nil {
		b.Fatalf("%v; it says:\n%s\nthe end of Catalyst's log:\n%s", err, body, b.server.Log())
	}
	return body
}

func hasAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return s != ""
}

// serves waits until the preview's page shows the commit.
func (b *bench) serves(pull *fakegithub.Pull, sha string) {
	b.Helper()
	url := fmt.Sprintf("http://pr-%s-%d.%s:%d/", strings.ToLower(b.Name()), pull.Number(), b.cluster.PreviewDomain, b.cluster.RouterPort)
	status, page := 0, ""
	err := rig.Until(b.Context(), 10*time.Second, "the page shows "+sha, func() (bool, error) {
		var err error
		status, page, err = rig.Page(b.Context(), url)
		return err == nil && status == 200 && strings.Contains(page, sha), nil
	})
	if err != nil {
		b.Fatalf("%v; %s answers %d:\n%s", err, url, status, page)
	}
}

// namespaces returns the names of the namespaces this test's Catalyst owns, separated by spaces.
func (b *bench) namespaces() string {
	b.Helper()
	out, err := b.cluster.Kubectl(b.Context(), "get", "namespaces", "-l", "catalyst.dev/instance="+b.config["instance"].(string), "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// noNamespace waits until nothing of this test is left in the cluster.
func (b *bench) noNamespace() {
	b.Helper()
	var left string
	if err := rig.Until(b.Context(), limit, "no namespace is left", func() (bool, error) {
		left = b.namespaces()
		return left == "", nil
	}); err != nil {
		b.Fatalf("%v: %s", err, left)
	}
}

// logged waits until Catalyst's log has the text.
func (b *bench) logged(text string) {
	b.Helper()
	if err := rig.Until(b.Context(), limit, fmt.Sprintf("the log has %q", text), func() (bool, error) {
		log, err := os.ReadFile(filepath.Join(b.server.Dir, "catalyst.log"))
		return strings.Contains(string(log), text), err
	}); err != nil {
		b.Fatalf("%v:\n%s", err, b.server.Log())
	}
}
