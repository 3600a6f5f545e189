package rig

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
)

// WebhookSecret signs the deliveries of the rig's GitHub.
const WebhookSecret = "a secret for the demo only"

// GitHub is the fake GitHub with an App, an organisation and the sample repository.
type GitHub struct {
	*fakegithub.Server
	App    *fakegithub.App
	Repo   *fakegithub.Repo
	Author *fakegithub.Account

	servers []*http.Server
}

// StartGitHub serves the fake GitHub on loopback, with the sample application as acme/hello. Deliveries of the events, by default of
// everything that the App may subscribe to, go to webhookURL.
func StartGitHub(webhookURL string, log *slog.Logger, events ...string) (*GitHub, error) {
	listen := func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	api, err := listen()
	if err != nil {
		return nil, err
	}
	archive, err := listen()
	if err != nil {
		return nil, err
	}
	g := &GitHub{}
	// Another host name for the archive, as on GitHub: credentials must not follow the redirect.
	g.Server, err = fakegithub.New(fakegithub.Options{
		URL: "http://" + api.Addr().String(), ArchiveURL: fmt.Sprintf("http://localhost:%d", archive.Addr().(*net.TCPAddr).Port), Log: log,
	})
	if err != nil {
		return nil, err
	}
	for listener, handler := range map[net.Listener]http.Handler{api: g.Handler(), archive: g.ArchiveHandler()} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		g.servers = append(g.servers, server)
		go func() { _ = server.Serve(listener) }()
	}
	files, err := sampleFiles()
	if err != nil {
		return nil, err
	}
	org := g.CreateOrg("acme")
	g.Author = g.CreateUser("octocat")
	g.Repo = org.CreateRepo(fakegithub.RepoOptions{Name: "hello", Files: files})
	g.Repo.AddCollaborator(g.Author, "write")
	g.App = g.CreateApp(fakegithub.AppOptions{Slug: "catalyst", WebhookURL: webhookURL, WebhookSecret: WebhookSecret, Events: events})
	g.App.Install(org)
	return g, nil
}

// Stop ends the servers and the deliveries.
func (g *GitHub) Stop() {
	g.Close()
	for _, s := range g.servers {
		_ = s.Close()
	}
}

// sampleFiles reads the sample application from the checkout, as the repository holds it.
func sampleFiles() (fakegithub.Files, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	dir := os.DirFS(filepath.Join(root, "examples", "hello"))
	text := map[string]string{}
	err = fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(dir, name)
		text[name] = string(b)
		return err
	})
	return fakegithub.Text(text), err
}

// Commit makes a commit on a new branch that starts at parent, and has its image built before anybody can see it in a pull request: the
// sweep finds pull requests by itself, so holding webhooks back would not be enough.
func (g *GitHub) Commit(ctx context.Context, c *Cluster, parent string, files map[string]string) (branch, sha string, err error) {
	branch, sha = g.Change(parent, files)
	return branch, sha, Sample(ctx, c, sha)
}

// Change makes a commit on a new branch that starts at parent, and no image: simulated nodes pull none.
func (g *GitHub) Change(parent string, files map[string]string) (branch, sha string) {
	branch = fmt.Sprintf("change-%d", time.Now().UnixNano())
	g.Repo.SetBranch(branch, parent)
	return branch, g.Repo.Commit(branch, fakegithub.Text(files), "Change")
}
