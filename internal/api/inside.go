package api

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// inside is what happens in a preview's namespace.
func (a *api) inside() {
	register(a, get("list-events", pull+"/events", "List what the cluster says about a preview, the newest first", "previews"),
		func(ctx context.Context, _ *struct{ About }) (*answer[client.Events], error) {
			p := access.Preview(ctx)
			out := client.Events{Events: []client.Event{}}
			if out.Note = empty(p); out.Note != "" {
				return ok(out), nil
			}
			list, err := a.Cluster.Events(ctx, identity(p))
			if absent(err) {
				out.Note, err = gone, nil
			}
			for _, e := range list {
				out.Events = append(out.Events, client.Event{
					Kind: e.Kind, Name: e.Name, Container: e.Container, Warning: e.Warning, Reason: e.Reason, Message: e.Message, Count: e.Count, First: e.First, Last: e.Last,
				})
			}
			return ok(out), cannot(err)
		})
	register(a, get("list-containers", pull+"/containers", "List a preview's containers", "previews"),
		func(ctx context.Context, _ *struct{ About }) (*answer[client.Containers], error) {
			p := access.Preview(ctx)
			out := client.Containers{Containers: []client.Container{}}
			if out.Note = empty(p); out.Note != "" {
				return ok(out), nil
			}
			list, err := a.Cluster.Containers(ctx, identity(p))
			if absent(err) {
				out.Note, err = gone, nil
			}
			for _, c := range list {
				out.Containers = append(out.Containers, client.Container{
					Pod: c.Pod, Name: c.Name, Init: c.Init, State: c.State, Reason: c.Reason, Message: c.Message, Restarts: c.Restarts, StartedAt: when(c.StartedAt), Previous: c.Previous,
				})
			}
			return ok(out), cannot(err)
		})
}

const gone = "The preview's namespace is not there any more."

// empty says why there is nothing to see in a preview's namespace; nothing when there may be something.
func empty(p preview.Preview) string {
	switch {
	case p.NamespaceUID != "":
		return ""
	case p.Status == preview.StatusDeleted:
		return "The preview is deleted: its namespace is gone."
	case p.Status == preview.StatusBlocked:
		return "Nothing runs: the commit waits for a person's approval."
	case p.Status == preview.StatusQueued:
		return "Nothing runs yet: the preview waits in line."
	}
	return "Nothing runs yet: the preview has no namespace."
}

// absent reports whether the namespace is not there, or somebody else's by now.
func absent(err error) bool {
	return errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrConflict)
}

// cannot keeps what the cluster refuses Catalyst from being told as if it was refused to the one who asks: only the text goes on, not the kind.
func cannot(err error) error {
	if errors.Is(err, preview.ErrForbidden) || errors.Is(err, preview.ErrInvalid) {
		return fmt.Errorf("the cluster refuses it to Catalyst, see catalyst doctor: %s", err.Error())
	}
	return err
}

// waitsFor says why a preview has no log yet, from its containers.
func waitsFor(list []cluster.Container) string {
	for _, c := range list {
		if !c.StartedAt.IsZero() {
			continue
		}
		reason := map[string]string{
			"ContainerCreating": "it is being made (image, volumes, network)", "PodInitializing": "the init containers run", "ErrImagePull": "its image cannot be pulled",
			"ImagePullBackOff": "its image cannot be pulled", "Unschedulable": "no node takes it", "Pending": "no node has it yet",
			"CreateContainerConfigError": "something that it is configured with is missing",
		}[c.Reason]
		if reason == "" {
			reason = c.Reason
		}
		return fmt.Sprintf("Waiting for container %s of pod %s: %s.", c.Name, c.Pod, reason)
	}
	if len(list) == 0 {
		return "There are no pods yet."
	}
	return ""
}
