package pages

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
)

// The numbers of the pull requests that Fill opens, by what becomes of their previews.
const (
	Running = iota + 141
	Failed
	Degraded
	Blocked
	Deploying
	Queued
	Pending
	Deleted
)

// Pull is a pull request with the number, whose title and branch are given.
func Pull(number int, title, branch string) preview.PullRequest {
	return preview.PullRequest{
		Key: preview.Key{RepositoryID: 7, Number: number}, Repository: Repository, Title: title, Author: "dora", Branch: branch, BaseBranch: "main",
		HeadSHA: fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, number)))[:40], HeadRepositoryID: 7, Open: true,
	}
}

// Tell hands events about the preview in, each for the generation that it has by then.
func (s *Site) Tell(ctx context.Context, k preview.Key, events ...preview.Event) (p preview.Preview, err error) {
	for _, e := range events {
		e.Key = k
		if known, err := s.Store.Named(ctx, Repository, k.Number); err == nil {
			e.Generation = known.Generation
		}
		if p, _, err = s.Door.Handle(ctx, e); err != nil {
			return p, fmt.Errorf("%s of #%d: %w", e.Kind, k.Number, err)
		}
	}
	return p, nil
}

// Hint is what a delivery says of the pull request.
func Hint(pr preview.PullRequest) preview.Event {
	guid := fmt.Sprintf("%s#%d", pr.Repository, pr.Number)
	return preview.Event{Kind: preview.EventHint, PullRequest: pr, Delivery: &preview.Delivery{
		GUID: guid, Event: "pull_request", Action: "opened", BodySHA256: guid, Body: []byte("{}"), Repository: pr.Repository, Number: pr.Number,
	}}
}

// Deployed are the events of a deployment that went well.
func Deployed(pr preview.PullRequest) []preview.Event {
	host := fmt.Sprintf("pr-shop-%d.preview.example.com", pr.Number)
	return []preview.Event{
		{Kind: preview.EventStarted, SHA: pr.HeadSHA, Host: host}, {Kind: preview.EventSucceeded, SHA: pr.HeadSHA, URL: "https://" + host, Steps: steps(preview.StepDone)}, There(pr),
	}
}

// There is that the namespace was found.
func There(pr preview.PullRequest) preview.Event {
	return preview.Event{Kind: preview.EventNamespace, NamespaceUID: fmt.Sprint("uid-", pr.Number)}
}

// Broke is why the failed one failed.
var Broke = preview.Diagnosis{
	Code: diagnose.CodeCrashLoop, Cause: `container "web" of pod "web-7c9f" ends with exit code 1: cannot reach the database`,
	Fix:      "Read the last lines of its log. A Service named db is what it looks for, and the chart makes none.",
	Evidence: []string{"panic: dial tcp: lookup db: no such host", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:41 +0x1f"}, Blame: preview.BlameChange,
}

// Fill opens pull requests whose previews are in every state there is.
func (s *Site) Fill(ctx context.Context) error {
	titles := map[int]string{
		Running: "Gift cards can be paid out", Failed: "Move sessions to the database", Degraded: "Search with typo tolerance", Blocked: "Fix a typo in the footer",
		Deploying: "A new checkout, with addresses from the address book and a summary that fits on a phone", Queued: "Prices with taxes", Pending: "Update dependencies", Deleted: "Remove the old theme",
	}
	for _, number := range []int{Running, Failed, Degraded, Deleted, Blocked, Deploying, Queued, Pending} {
		pr := Pull(number, titles[number], strings.ToLower(strings.ReplaceAll(titles[number], " ", "-")))
		if number == Blocked {
			pr.HeadRepositoryID = 99
			pr.Author = "a-passer-by"
		}
		if _, err := s.Tell(ctx, pr.Key, Hint(pr)); err != nil {
			return err
		}
		if err := s.bring(ctx, pr); err != nil {
			return err
		}
	}
	unwanted := preview.Event{Kind: preview.EventHint, Unused: "no repository of that name is configured", Delivery: &preview.Delivery{
		GUID: "unused", Event: "pull_request", Action: "labeled", BodySHA256: "unused", Body: []byte("{}"), Repository: "acme/other", Number: 3,
	}}
	_, _, err := s.Door.Handle(ctx, unwanted)
	return err
}

func (s *Site) bring(ctx context.Context, pr preview.PullRequest) error {
	started := preview.Event{Kind: preview.EventStarted, SHA: pr.HeadSHA, Host: fmt.Sprintf("pr-shop-%d.preview.example.com", pr.Number)}
	var events []preview.Event
	switch pr.Number {
	case Running:
		events = Deployed(pr)
	case Degraded:
		lost := preview.Diagnosis{Code: diagnose.CodeOutOfMemory, Cause: `container "search" of pod "search-0" was killed: it needed more than its 128Mi of memory`, Fix: "Raise resources.limits.memory of search.", Blame: preview.BlameConfig}
		events = append(Deployed(pr), preview.Event{Kind: preview.EventDegraded, Diagnosis: &lost})
	case Failed:
		events = []preview.Event{started, {Kind: preview.EventFailed, Diagnosis: &Broke, Steps: steps(preview.StepFailed)}, There(pr)}
	case Deploying:
		events = []preview.Event{started, {Kind: preview.EventSteps, Steps: steps("")}}
	case Queued, Blocked:
		events = []preview.Event{started}
	case Deleted:
		closed := Hint(pr)
		closed.PullRequest.Open, closed.Closed, closed.Delivery.GUID, closed.Delivery.BodySHA256 = false, true, "closed", "closed"
		observed := preview.Event{Kind: preview.EventObserved, PullRequest: closed.PullRequest}
		events = append(Deployed(pr), closed, observed, preview.Event{Kind: preview.EventDeleted})
	}
	p, err := s.Tell(ctx, pr.Key, events...)
	if err != nil || pr.Number != Failed {
		return err
	}
	list, err := s.Store.Deployments(ctx, p.ID, 1)
	if err != nil || len(list) == 0 {
		return err
	}
	return s.kept.Keep(kept.Entry{PreviewID: p.ID, DeploymentID: list[0].ID, Reason: kept.Failed, Ref: p.Ref(), SHA: p.HeadSHA, At: time.Now()}, []kept.File{
		{Name: "events.txt", Text: "BackOff\n"}, {Name: "web-7c9f.web.log", Text: strings.Join(Broke.Evidence, "\n") + "\n"},
	})
}

// steps are those of a deployment whose last one came out like that; empty: it still runs.
func steps(last preview.StepOutcome) []preview.Step {
	return []preview.Step{
		{Name: preview.StepFetch, Attempts: 1, Took: 800 * time.Millisecond, Outcome: preview.StepDone},
		{Name: preview.StepApply, Attempts: 2, Start: time.Second, Took: 3 * time.Second, Outcome: preview.StepDone},
		{Name: preview.StepReady, Attempts: 1, Start: 4 * time.Second, Took: 21 * time.Second, Outcome: last},
	}
}
