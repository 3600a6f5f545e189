package policy

import (
	"fmt"
	"slices"

	"catalyst.dev/catalyst/internal/preview"
)

// Receiver is somebody outside of GitHub who is told what happens.
type Receiver struct {
	Name string
	Only []string // statuses and other kinds of notifications; empty: all
}

func (r Receiver) wants(n preview.Notification) bool {
	word := string(n.Kind)
	if n.Kind == preview.NotifyStatus {
		word = string(n.Status)
	}
	return len(r.Only) == 0 || slices.Contains(r.Only, word)
}

// notified adds what the receivers are told of a change: each new status, and a removal that is stuck.
func notified(s preview.State, d preview.Decision, r Rules) preview.Decision {
	if len(r.Receivers) == 0 || d.Preview == nil {
		return d
	}
	p := *d.Preview
	var before preview.Preview
	if s.Preview != nil {
		before = *s.Preview
	}
	n := preview.Notification{
		PreviewID: p.ID, Kind: preview.NotifyStatus, At: s.Now, Repository: p.Repository, Number: p.Number, Title: p.Title, Status: p.Status, Before: before.Status,
		SHA: p.HeadSHA, LiveSHA: p.LiveSHA, URL: p.URL,
	}
	stuck := p.Diagnosis != nil && p.Diagnosis.Code == preview.CodeStuckDelete && p.Diagnosis != before.Diagnosis
	switch {
	case stuck:
		n.Kind, n.Text = preview.NotifyRemovalStuck, fmt.Sprintf("%s: its namespace %s does not go away", p.Ref(), p.Namespace)
	case p.Status != before.Status:
		n.Text = fmt.Sprintf("%s is %s", p.Ref(), p.Status)
	default:
		return d
	}
	if p.Diagnosis != nil {
		n.Code, n.Cause, n.Fix, n.Blame = p.Diagnosis.Code, p.Diagnosis.Sentence(), p.Diagnosis.Fix, p.Diagnosis.Blame
		n.Text += ": " + n.Cause
	} else if p.Status == preview.StatusRunning && p.URL != "" {
		n.Text += ": " + p.URL
	}
	return tell(d, n, r)
}

// alarmed tells the receivers what concerns no preview alone.
func alarmed(s preview.State, e preview.Event, r Rules) preview.Decision {
	return tell(preview.Decision{}, preview.Notification{Kind: preview.NotifySweepStopped, At: s.Now, Text: e.Alarm}, r)
}

func tell(d preview.Decision, n preview.Notification, r Rules) preview.Decision {
	for _, receiver := range r.Receivers {
		if receiver.wants(n) {
			n.Receiver = receiver.Name
			d.Notifications = append(d.Notifications, n)
		}
	}
	if len(d.Notifications) > 0 {
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobNotify})
	}
	return d
}
