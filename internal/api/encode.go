package api

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

func identity(p preview.Preview) cluster.Identity {
	return cluster.Identity{Namespace: p.Namespace, UID: p.NamespaceUID, Key: p.Key, Repository: p.Repository}
}

// when is a time that may not have come.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func encodePreview(p preview.Preview) client.Preview {
	return client.Preview{
		Repository: p.Repository, Number: p.Number, Title: p.Title, Author: p.Author, Branch: p.Branch, BaseBranch: p.BaseBranch, Open: p.Open,
		Status: string(p.Status), Commit: p.HeadSHA, LiveCommit: p.LiveSHA, LiveSince: when(p.LiveSince), URL: p.URL, Namespace: p.Namespace,
		RemovedBy: p.RemovedBy, Diagnosis: encodeDiagnosis(p.Diagnosis), CreatedAt: p.CreatedAt, ChangedAt: p.ChangedAt,
	}
}

func encodeDiagnosis(d *preview.Diagnosis) *client.Diagnosis {
	if d == nil {
		return nil
	}
	return &client.Diagnosis{Code: d.Code, Cause: d.Sentence(), Evidence: d.Evidence, Fix: d.Fix, Blame: string(d.Blame)}
}

func encodeDeployment(p preview.Preview, d preview.Deployment) client.Deployment {
	out := client.Deployment{
		ID: d.ID, Repository: p.Repository, Number: p.Number, Commit: d.SHA, Attempt: d.Attempt, Status: string(d.Status),
		Diagnosis: encodeDiagnosis(d.Diagnosis), StartedAt: d.StartedAt, FinishedAt: when(d.FinishedAt), Steps: []client.Step{},
	}
	for _, s := range d.Steps {
		out.Steps = append(out.Steps, client.Step{
			Name: string(s.Name), StartMS: s.Start.Milliseconds(), TookMS: s.Took.Milliseconds(), Attempts: s.Attempts, Outcome: string(s.Outcome), Note: s.Note,
		})
	}
	return out
}

func encodeCommand(c preview.Command) client.Command {
	out := client.Command{
		ID: strconv.FormatInt(c.CommentID, 10), Verb: string(c.Order.Verb), Argument: c.Order.Argument, By: c.Author, Outcome: string(c.Outcome),
		Reason: c.Reason, ReceivedAt: c.ReceivedAt, FinishedAt: when(c.FinishedAt),
	}
	if out.Outcome == "" {
		out.Outcome = "waiting"
	}
	return out
}

func encodeDelivery(d preview.Delivery) client.Delivery {
	return client.Delivery{
		ID: d.ID, GUID: d.GUID, Event: d.Event, Action: d.Action, Repository: d.Repository, Number: d.Number, Outcome: string(d.Outcome), Reason: d.Reason,
		ReceivedAt: d.ReceivedAt,
	}
}

// cursor is the place of a preview in the list, which is sorted by time and id.
func cursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at.UnixMilli(), 10) + " " + id))
}

func parseCursor(s string) (at time.Time, id string, err error) {
	if s == "" {
		return time.Time{}, "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	ms, id, ok := strings.Cut(string(b), " ")
	n, numberErr := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok || numberErr != nil || id == "" {
		return time.Time{}, "", problem.Say(preview.ErrInvalid, "The cursor is not one that this list gave.")
	}
	return time.UnixMilli(n), id, nil
}
