package policy

import (
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// start opens a deployment. One that a dead worker left running is taken up again when it is for the same generation, and
// ended as superseded otherwise.
func start(s preview.State, p preview.Preview, e preview.Event) []preview.Deployment {
	var out []preview.Deployment
	if old := s.Deployment; old != nil && old.Status == preview.DeploymentRunning {
		if old.Generation == p.Generation && old.SHA == e.SHA {
			return nil
		}
		ended := *old
		ended.Status, ended.FinishedAt = preview.DeploymentSuperseded, s.Now
		out = append(out, ended)
	}
	d := preview.Deployment{SHA: e.SHA, Generation: p.Generation, Status: preview.DeploymentRunning, StartedAt: s.Now}
	if !p.QueuedAt.IsZero() {
		waited := max(s.Now.Sub(p.QueuedAt), time.Millisecond)
		d.Steps = []preview.Step{{Name: preview.StepQueue, Start: -waited, Took: waited, Attempts: 1, Outcome: preview.StepDone}}
	}
	return append(out, d)
}

// finish ends the newest deployment if it still runs. Only a worker that holds the preview's lease reports an end, and it
// runs one deployment at a time.
func finish(s preview.State, e preview.Event, status preview.DeploymentStatus) []preview.Deployment {
	if s.Deployment == nil || s.Deployment.Status != preview.DeploymentRunning || s.Deployment.Generation != e.Generation {
		return nil
	}
	d := *s.Deployment
	d.Status, d.FinishedAt = status, s.Now
	if e.Steps != nil {
		d.Steps = e.Steps
	}
	if status == preview.DeploymentFailed {
		d.Diagnosis = e.Diagnosis
	}
	return []preview.Deployment{d}
}
