package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

// limit is how long any one thing may take before the demo gives up.
const limit = 3 * time.Minute

// instance marks the namespaces of the demo's Catalyst.
const instance = "demo"

// show is one demo under way.
type show struct {
	cluster *rig.Cluster
	github  *rig.GitHub
	server  *rig.Catalyst
	pull    *fakegithub.Pull
	started time.Time
}

func run(ctx context.Context, o options) (err error) {
	s := &show{started: time.Now()}
	dir, err := os.MkdirTemp("", "catalyst-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			_ = os.RemoveAll(dir)
		}
	}()

	s.say("Starting a local Kubernetes cluster (the first time builds it, which takes a quarter of an hour; later it takes seconds)")
	if s.cluster, err = findCluster(ctx, o); err != nil {
		return err
	}
	if o.once && s.cluster.Started {
		defer func() { err = errors.Join(err, s.cluster.Stop(context.WithoutCancel(ctx))) }()
	}
	s.say("Building Catalyst")
	binary, err := rig.BuildCatalyst(ctx)
	if err != nil {
		return err
	}
	listen, err := rig.FreeAddress()
	if err != nil {
		return err
	}
	if s.github, err = rig.StartGitHub("http://"+listen+"/webhooks/github", slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		return err
	}
	defer s.github.Stop()
	config := rig.Config(listen, s.github, s.cluster)
	config["instance"] = instance
	config["public_url"] = "http://" + listen
	config["access"] = map[string]any{"login_link": true}
	config["preview"].(map[string]any)["ingress_class"] = o.class()
	if s.server, err = rig.StartCatalyst(ctx, binary, dir, config); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.server.Stop())
		if err != nil {
			err = fmt.Errorf("%w\nThe end of Catalyst's log (all of it: %s/catalyst.log):\n%s", err, dir, s.server.Log())
		}
	}()
	if err := s.play(ctx); err != nil {
		return err
	}
	if link := s.server.LoginLink(); link != "" {
		s.say("Catalyst's own pages, by a link that works once: %s", link)
	}
	if !o.once {
		s.say("Everything stays up for you to look at; Ctrl-C closes the pull request and ends the demo")
		<-ctx.Done()
		ctx = context.WithoutCancel(ctx)
	}
	if err := s.closePull(ctx); err != nil {
		return err
	}
	return s.check()
}

func (o options) class() string {
	if o.kubeconfig != "" {
		return o.ingressClass
	}
	return "local"
}

func findCluster(ctx context.Context, o options) (*rig.Cluster, error) {
	if o.kubeconfig == "" {
		return rig.StartCluster(ctx, o.name, os.Stderr)
	}
	if o.registry == "" {
		return nil, errors.New("-kubeconfig needs -registry: where do images go that your cluster can pull?")
	}
	return &rig.Cluster{Name: o.name, Kubeconfig: o.kubeconfig, Registry: o.registry, RouterPort: o.routerPort, PreviewDomain: "preview.localhost"}, nil
}

// play opens the pull request and pushes to it.
func (s *show) play(ctx context.Context) error {
	s.say("Opening a pull request")
	err := s.change(ctx, s.github.Repo.SHA("main"), map[string]string{"NOTES.md": "Greet people by name.\n"}, func(branch, _ string) {
		s.pull = s.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Greet people by name", Author: s.github.Author, Head: branch})
	})
	if err != nil {
		return err
	}
	s.say("Pushing to it")
	files := map[string]string{"values-preview.yaml": "greeting: Hello, whoever you are\n"}
	return s.change(ctx, s.pull.HeadSHA(), files, func(_, sha string) { s.pull.ForcePush(sha) })
}

// change makes a commit with its image, shows it to GitHub, and waits until the preview serves it.
func (s *show) change(ctx context.Context, parent string, files map[string]string, push func(branch, sha string)) error {
	branch, sha, err := s.github.Commit(ctx, s.cluster, parent, files)
	if err != nil {
		return err
	}
	start := time.Now()
	push(branch, sha)
	body, err := s.comment(ctx, func(body string) bool {
		return strings.Contains(body, "| success |") && strings.Contains(body, sha[:7]) || strings.Contains(body, "| failed |")
	})
	if err != nil {
		return err
	}
	if strings.Contains(body, "| failed |") {
		return fmt.Errorf("the preview failed:\n%s", body)
	}
	took := time.Since(start).Round(10 * time.Millisecond)
	s.say("The comment on the pull request, %s after the webhook:", took)
	fmt.Println(indent(body))
	url := address(body)
	status, page := 0, ""
	err = rig.Until(ctx, 10*time.Second, "the preview serves the commit", func() (bool, error) {
		status, page, err = rig.Page(ctx, url)
		return err == nil && status == 200 && strings.Contains(page, sha), nil
	})
	if err != nil {
		return fmt.Errorf("%s answers %d: %w\n%s", url, status, err, page)
	}
	s.say("%s answers 200 and serves commit %s", url, sha[:7])
	s.say("The conversation as a person sees it: %s", s.pull.URL())
	return nil
}

// comment waits until the one comment of Catalyst is as wanted.
func (s *show) comment(ctx context.Context, wanted func(string) bool) (body string, err error) {
	err = rig.Until(ctx, limit, "the comment says so", func() (bool, error) {
		ours := s.ours()
		if len(ours) > 1 {
			return false, fmt.Errorf("%d comments instead of one", len(ours))
		}
		if len(ours) == 1 {
			body = ours[0]
		}
		return wanted(body), nil
	})
	if err != nil {
		err = fmt.Errorf("%w; it says:\n%s", err, body)
	}
	return body, err
}

// ours are the bodies of the comments that Catalyst's App wrote.
func (s *show) ours() []string {
	var bodies []string
	for _, c := range s.pull.Comments() {
		if c.AppID == s.github.App.ID() {
			bodies = append(bodies, c.Body)
		}
	}
	return bodies
}

func (s *show) closePull(ctx context.Context) error {
	s.say("Closing the pull request")
	start := time.Now()
	s.pull.Close(false)
	body, err := s.comment(ctx, func(body string) bool { return strings.Contains(body, "| deleted |") })
	if err != nil {
		return err
	}
	s.say("The comment, %s after the webhook:", time.Since(start).Round(10*time.Millisecond))
	fmt.Println(indent(body))
	left, err := s.cluster.Kubectl(ctx, "get", "namespaces", "-l", "catalyst.dev/instance="+instance, "-o", "name")
	if err != nil {
		return err
	}
	if left = strings.TrimSpace(left); left != "" {
		return fmt.Errorf("left behind: %s", left)
	}
	s.say("No namespace of Catalyst is left in the cluster")
	return nil
}

// check says what GitHub's own description finds wrong with what was said to it.
func (s *show) check() error {
	var errs []error
	for _, v := range s.github.Violations() {
		errs = append(errs, errors.New(v.String()))
	}
	if len(errs) > 0 {
		return fmt.Errorf("requests that GitHub would not accept: %w", errors.Join(errs...))
	}
	s.say("%d requests to GitHub, all as its own description wants them. Done", len(s.github.Requests()))
	return nil
}

func (s *show) say(format string, args ...any) {
	fmt.Printf("\n[%5.1fs] %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

func indent(body string) string { return "    " + strings.ReplaceAll(body, "\n", "\n    ") }

// address is the URL that the comment names.
func address(body string) string {
	_, rest, _ := strings.Cut(body, "| URL | ")
	url, _, _ := strings.Cut(rest, " |")
	return url
}
