package lab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
	"catalyst.dev/catalyst/internal/store"
)

// Settle waits until Check has nothing to say and returns how long that took. What is still wrong at the limit is the error. Then
// it looks for what must never have happened (see Never), which is an error too.
func (l *Lab) Settle(ctx context.Context, limit time.Duration) (time.Duration, error) {
	start := time.Now()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		wrong := l.Check(ctx)
		took := time.Since(start)
		switch {
		case len(wrong) == 0:
			return took, problems("what must never be", l.Never())
		case took > limit:
			return took, problems(fmt.Sprintf("not healed within %s", limit), append(wrong, l.Never()...))
		}
		select {
		case <-ctx.Done():
			return took, ctx.Err()
		case <-ticker.C:
		}
	}
}

func problems(what string, list []string) error {
	if len(list) == 0 {
		return nil
	}
	return fmt.Errorf("%s:\n  %s", what, strings.Join(list, "\n  "))
}

// Check compares database, cluster and comments with the truth, which is GitHub's, and returns what does not fit: no pull request
// is at another state or commit than there, each has exactly one comment and it tells the truth, exactly the right namespaces are
// there and hold the head commit, no release is half-done, no commit was deployed twice, nothing is left to do and every
// delivery that was answered well is stored. Nothing to say means that all of it has healed.
func (l *Lab) Check(ctx context.Context) []string {
	state, err := l.read(ctx)
	if err != nil {
		return []string{"read the state: " + err.Error()}
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for kind, n := range state.jobs {
		if n > 0 && (kind == preview.JobReconcile || kind == preview.JobComment) {
			say("%d %s jobs are not done", n, kind)
		}
	}
	known := map[int]preview.Preview{}
	for _, p := range state.previews {
		known[p.Number] = p
	}
	pulls := l.all()
	if len(known) != len(pulls) {
		say("%d previews are known, there are %d pull requests", len(known), len(pulls))
	}
	open := map[string]bool{}
	for _, pull := range pulls {
		p := known[int(pull.Number())]
		l.checkPull(pull, p, state.deployments[p.ID], say)
		if pull.State() == "open" {
			open[p.Namespace] = true
			l.checkNamespace(p, pull, state, say)
		}
	}
	for name := range state.namespaces {
		if !open[name] {
			say("namespace %s is there and no open pull request is its", name)
		}
	}
	for _, d := range l.GitHub.Deliveries() {
		if d.Event == "pull_request" && d.Code/100 == 2 && !slices.Contains(state.deliveries, d.GUID) {
			say("I1: delivery %s (%s) was answered %d and is not stored", d.GUID, d.Action, d.Code)
		}
	}
	return wrong
}

// checkPull compares what is stored and said of a pull request with GitHub.
func (l *Lab) checkPull(pull *Pull, p preview.Preview, deployments []preview.Deployment, say func(string, ...any)) {
	isOpen, head := pull.State() == "open", pull.HeadSHA()
	word := "| success |"
	switch {
	case p.ID == "":
		say("#%d: no preview is known", pull.Number())
		return
	case p.Open != isOpen, isOpen && p.HeadSHA != head:
		say("#%d: stored as open %v at %s, is open %v at %s", p.Number, p.Open, preview.ShortSHA(p.HeadSHA), isOpen, preview.ShortSHA(head))
	case isOpen && (p.Status != preview.StatusRunning || p.LiveSHA != head):
		say("#%d: %s with %q live, should run %s (%v)", p.Number, p.Status, preview.ShortSHA(p.LiveSHA), preview.ShortSHA(head), p.Diagnosis)
	case !isOpen && p.Status != preview.StatusDeleted:
		say("#%d: %s, should be deleted", p.Number, p.Status)
	case p.Due():
		say("#%d: generation %d is settled up to %d", p.Number, p.Generation, p.Settled)
	}
	if !isOpen {
		word = "| deleted |"
	}
	l.checkComment(pull, p, deployments, word, say)
	checkDeployments(p, isOpen, deployments, say)
}

// checkComment makes sure of the one comment: by what is stored, and by what GitHub knows better.
func (l *Lab) checkComment(pull *Pull, p preview.Preview, deployments []preview.Deployment, word string, say func(string, ...any)) {
	var ours []string
	for _, c := range pull.Comments() {
		if c.AppID == l.GitHub.App.ID() {
			ours = append(ours, c.Body)
		}
	}
	const shown = 5 // deployments in a comment
	switch {
	case len(ours) != 1:
		say("I6: #%d has %d comments of ours", p.Number, len(ours))
	case !strings.Contains(ours[0], word), p.Open && !strings.Contains(ours[0], preview.ShortSHA(pull.HeadSHA())):
		say("I6: #%d: the comment should say %q of %s: %s", p.Number, word, preview.ShortSHA(pull.HeadSHA()), ours[0])
	case ours[0] != report.Comment(report.View{Preview: p, Deployments: deployments[:min(shown, len(deployments))], Logs: p.Private}):
		say("I6: #%d: the comment is not what is stored: %s", p.Number, ours[0])
	}
}

// checkDeployments makes sure that each commit was deployed once, and the head to its end.
func checkDeployments(p preview.Preview, isOpen bool, deployments []preview.Deployment, say func(string, ...any)) {
	times, succeeded := map[string]int{}, map[string]bool{}
	for _, d := range deployments {
		times[d.SHA]++
		succeeded[d.SHA] = succeeded[d.SHA] || d.Status == preview.DeploymentSucceeded
		if d.Status == preview.DeploymentRunning {
			say("#%d: the deployment of %s is still called running", p.Number, preview.ShortSHA(d.SHA))
		}
	}
	for sha, n := range times {
		if n > 1 {
			say("doubled: #%d has %d deployments of %s: %+v", p.Number, n, preview.ShortSHA(sha), deployments)
		}
	}
	if isOpen && !succeeded[p.HeadSHA] {
		say("#%d: the head %s has no deployment that succeeded", p.Number, preview.ShortSHA(p.HeadSHA))
	}
}

// checkNamespace compares what is in the cluster with the head commit.
func (l *Lab) checkNamespace(p preview.Preview, pull *Pull, state *state, say func(string, ...any)) {
	ns, ok := state.namespaces[p.Namespace]
	switch {
	case !ok:
		say("#%d: namespace %s is not there", p.Number, p.Namespace)
		return
	case ns.DeletionTimestamp != nil:
		say("#%d: namespace %s is being deleted", p.Number, p.Namespace)
	case string(ns.UID) != p.NamespaceUID:
		say("#%d: namespace %s has UID %s, stored is %q", p.Number, p.Namespace, ns.UID, p.NamespaceUID)
	case ns.Labels[cluster.LabelPullRequest] != strconv.Itoa(p.Number) || ns.Labels[cluster.LabelRepositoryID] != strconv.FormatInt(p.RepositoryID, 10):
		say("#%d: namespace %s is labelled %v", p.Number, p.Namespace, ns.Labels)
	}
	deployed := 0
	for _, s := range state.releases[p.Namespace] {
		switch status := s.Labels["status"]; {
		case strings.HasPrefix(status, "pending"), status == "uninstalling":
			say("#%d: release record %s is left %s", p.Number, s.Name, status)
		case status == "deployed":
			deployed++
			if version := s.Labels[cluster.LabelVersion]; version != pull.HeadSHA() {
				say("#%d: release record %s is of %s, not of the head", p.Number, s.Name, preview.ShortSHA(version))
			}
		}
	}
	if deployed != 1 {
		say("#%d: %d release records are called deployed", p.Number, deployed)
	}
	if got, want := greeting(state.workloads[p.Namespace]), pull.greetings[pull.HeadSHA()]; got != want {
		say("#%d: what runs greets with %q, the head with %q", p.Number, got, want)
	}
}

// greeting is what the namespace's one Deployment has its pods say.
func greeting(deployments []appsv1.Deployment) string {
	if len(deployments) != 1 {
		return fmt.Sprintf("(%d Deployments)", len(deployments))
	}
	for _, e := range deployments[0].Spec.Template.Spec.Containers[0].Env {
		if e.Name == "GREETING" {
			return e.Value
		}
	}
	return ""
}

// state is where everything stands, as read past the edges.
type state struct {
	previews    []preview.Preview
	deployments map[string][]preview.Deployment // by preview, the newest first
	deliveries  []string                        // GUIDs
	jobs        map[preview.JobKind]int64
	namespaces  map[string]corev1.Namespace
	releases    map[string][]corev1.Secret // by namespace
	workloads   map[string][]appsv1.Deployment
}

const all = 10_000

func (l *Lab) read(ctx context.Context) (*state, error) {
	s := &state{
		deployments: map[string][]preview.Deployment{}, namespaces: map[string]corev1.Namespace{},
		releases: map[string][]corev1.Secret{}, workloads: map[string][]appsv1.Deployment{},
	}
	db, err := l.Database(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if err := s.readDatabase(ctx, db); err != nil {
		return nil, err
	}
	return s, s.readCluster(ctx, l)
}

func (s *state) readDatabase(ctx context.Context, db *store.Store) (err error) {
	if s.jobs, err = db.CountJobs(ctx); err != nil {
		return err
	}
	deliveries, err := db.Deliveries(ctx, all)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		s.deliveries = append(s.deliveries, d.GUID)
	}
	if s.previews, err = db.Previews(ctx, all); err != nil {
		return err
	}
	for _, p := range s.previews {
		if s.deployments[p.ID], err = db.Deployments(ctx, p.ID, all); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) readCluster(ctx context.Context, l *Lab) error {
	list, err := l.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: cluster.LabelInstance + "=" + l.Name})
	if err != nil {
		return err
	}
	for _, ns := range list.Items {
		s.namespaces[ns.Name] = ns
		records, err := l.Client.CoreV1().Secrets(ns.Name).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			return err
		}
		s.releases[ns.Name] = records.Items
		workloads, err := l.Client.AppsV1().Deployments(ns.Name).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		s.workloads[ns.Name] = workloads.Items
	}
	return nil
}
