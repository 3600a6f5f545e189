package store

import (
	"encoding/json"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

func toPreview(r db.Preview) (preview.Preview, error) {
	diagnosis, err := decodeDiagnosis(r.Diagnosis)
	if err != nil {
		return preview.Preview{}, fmt.Errorf("read preview %s: %w", r.ID, err)
	}
	notice, err := decodeNotice(r.Notice)
	if err != nil {
		return preview.Preview{}, fmt.Errorf("read preview %s: %w", r.ID, err)
	}
	channels, err := decodeChannels(r.Channels)
	if err != nil {
		return preview.Preview{}, fmt.Errorf("read preview %s: %w", r.ID, err)
	}
	return preview.Preview{
		ID: r.ID,
		PullRequest: preview.PullRequest{
			Key:        preview.Key{RepositoryID: r.RepositoryID, Number: int(r.Number)},
			Repository: r.Repository, InstallationID: r.InstallationID, Private: r.Private, Title: r.Title, Author: r.Author,
			Bot: r.Bot, Branch: r.Branch, BaseBranch: r.BaseBranch, HeadSHA: r.HeadSha,
			HeadRepositoryID: r.HeadRepositoryID, HeadRepository: r.HeadRepository,
			Open: r.Open, Merged: r.Merged, Draft: r.Draft, Comments: int(r.Comments),
		},
		Namespace: r.Namespace, NamespaceUID: r.NamespaceUid, Host: r.Host, URL: r.Url,
		Status: preview.Status(r.Status), Generation: r.Generation, Settled: r.Settled,
		LiveSHA: r.LiveSha, LiveSince: fromMS(r.LiveSince), Diagnosis: diagnosis,
		CommentID: r.CommentID, CommentHash: r.CommentHash, CommentAttempted: r.CommentAttempted,
		CommentWrites: int(r.CommentWrites),
		CreatedAt:     fromMS(r.CreatedAt), ChangedAt: fromMS(r.ChangedAt), ClosedAt: fromMS(r.ClosedAt),
		QueuedAt: fromMS(r.QueuedAt), MissingSince: fromMS(r.MissingSince),
		RemovedBy: r.RemovedBy, Awaited: r.Awaited, Notice: notice, Channels: channels,
	}, nil
}

func insertParams(p preview.Preview) db.InsertPreviewParams {
	diagnosis, _ := encodeDiagnosis(p.Diagnosis) // strings always encode
	return db.InsertPreviewParams{
		ID: p.ID, Version: 1, RepositoryID: p.RepositoryID, Number: int64(p.Number), Repository: p.Repository,
		InstallationID: p.InstallationID, Private: p.Private, Title: p.Title, Author: p.Author, Branch: p.Branch,
		BaseBranch: p.BaseBranch, HeadSha: p.HeadSHA, HeadRepositoryID: p.HeadRepositoryID, Open: p.Open, Merged: p.Merged,
		Draft: p.Draft, Comments: int64(p.Comments), Namespace: p.Namespace, NamespaceUid: p.NamespaceUID, Host: p.Host,
		Url: p.URL, Status: string(p.Status), Generation: p.Generation, Settled: p.Settled, LiveSha: p.LiveSHA,
		LiveSince: toMS(p.LiveSince), Diagnosis: diagnosis, CommentID: p.CommentID, CommentHash: p.CommentHash,
		CommentAttempted: p.CommentAttempted, CreatedAt: toMS(p.CreatedAt), ChangedAt: toMS(p.ChangedAt), ClosedAt: toMS(p.ClosedAt),
		QueuedAt: toMS(p.QueuedAt), MissingSince: toMS(p.MissingSince), Bot: p.Bot, HeadRepository: p.HeadRepository, CommentWrites: int64(p.CommentWrites),
		RemovedBy: p.RemovedBy, Awaited: p.Awaited, Notice: encodeNotice(p.Notice), Channels: encodeChannels(p.Channels),
	}
}

func updateParams(p preview.Preview, version int64) db.UpdatePreviewParams {
	i := insertParams(p)
	return db.UpdatePreviewParams{
		ID: i.ID, Version: version, Repository: i.Repository, InstallationID: i.InstallationID, Private: i.Private,
		Title: i.Title, Author: i.Author, Branch: i.Branch, BaseBranch: i.BaseBranch, HeadSha: i.HeadSha,
		HeadRepositoryID: i.HeadRepositoryID, Open: i.Open, Merged: i.Merged, Draft: i.Draft, Comments: i.Comments,
		Namespace: i.Namespace, NamespaceUid: i.NamespaceUid, Host: i.Host, Url: i.Url, Status: i.Status, Generation: i.Generation, Settled: i.Settled,
		LiveSha: i.LiveSha, LiveSince: i.LiveSince, Diagnosis: i.Diagnosis, CommentID: i.CommentID, CommentHash: i.CommentHash,
		CommentAttempted: i.CommentAttempted, ChangedAt: i.ChangedAt, ClosedAt: i.ClosedAt, QueuedAt: i.QueuedAt,
		MissingSince: i.MissingSince, Bot: i.Bot, HeadRepository: i.HeadRepository, CommentWrites: i.CommentWrites,
		RemovedBy: i.RemovedBy, Awaited: i.Awaited, Notice: i.Notice, Channels: i.Channels,
	}
}

func toDeployment(r db.Deployment) (preview.Deployment, error) {
	diagnosis, err := decodeDiagnosis(r.Diagnosis)
	if err != nil {
		return preview.Deployment{}, fmt.Errorf("read deployment %s: %w", r.ID, err)
	}
	var steps []preview.Step
	if r.Steps != "" {
		if err := json.Unmarshal([]byte(r.Steps), &steps); err != nil {
			return preview.Deployment{}, fmt.Errorf("read the steps of deployment %s: %w", r.ID, err)
		}
	}
	return preview.Deployment{
		ID: r.ID, PreviewID: r.PreviewID, SHA: r.Sha, Attempt: int(r.Attempt), Generation: r.Generation,
		Status: preview.DeploymentStatus(r.Status), Diagnosis: diagnosis, Steps: steps,
		StartedAt: fromMS(r.StartedAt), FinishedAt: fromMS(r.FinishedAt),
	}, nil
}

func (s *Store) toDelivery(r db.Delivery) (preview.Delivery, error) {
	body, err := s.keys.Open(bodyPlace(r.ID), r.Body)
	if err != nil {
		return preview.Delivery{}, fmt.Errorf("read delivery %s: %w", r.Guid, err)
	}
	return preview.Delivery{
		ID: r.ID, GUID: r.Guid, Event: r.Event, Action: r.Action, BodySHA256: r.BodySha256, Body: body,
		Repository: r.Repository, Number: int(r.Number), Outcome: preview.DeliveryOutcome(r.Outcome), Reason: r.Reason,
		ReceivedAt: fromMS(r.ReceivedAt),
	}, nil
}

// encodeDiagnosis stores no diagnosis as the empty text.
func encodeDiagnosis(d *preview.Diagnosis) (string, error) {
	if d == nil {
		return "", nil
	}
	b, err := json.Marshal(d)
	return string(b), err
}

// encodeChannels stores nothing written as the empty text.
func encodeChannels(c preview.Channels) string {
	if c == (preview.Channels{}) {
		return ""
	}
	b, _ := json.Marshal(c) // strings and numbers always encode
	return string(b)
}

func decodeChannels(text string) (preview.Channels, error) {
	var c preview.Channels
	if text == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read what is written on GitHub, %.80q: %w", text, err)
	}
	return c, nil
}

// encodeSteps stores no steps as the empty text.
func encodeSteps(steps []preview.Step) (string, error) {
	if len(steps) == 0 {
		return "", nil
	}
	b, err := json.Marshal(steps)
	return string(b), err
}

func decodeDiagnosis(text string) (*preview.Diagnosis, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no diagnosis is a value of its own here
	}
	var d preview.Diagnosis
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("read diagnosis %.80q: %w", text, err)
	}
	return &d, nil
}
