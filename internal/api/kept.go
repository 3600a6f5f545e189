package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
)

type keptInput struct {
	About
	Of     string `path:"of" doc:"Id of the deployment."`
	Reason string `path:"reason" doc:"failed or deleted."`
	File   string `path:"file" doc:"Name of the file."`
}

// keptLogs are the last logs and events of deployments that failed and of previews that were deleted. Secrets were taken out before they were kept.
func (a *api) keptLogs() {
	register(a, get("list-kept-logs", pull+"/kept", "List what is kept of a preview's last logs and events, the newest first", "logs"),
		func(ctx context.Context, _ *struct{ About }) (*answer[client.Kept], error) {
			out := client.Kept{Entries: []client.KeptEntry{}}
			if a.Kept == nil {
				return ok(out), nil
			}
			entries, err := a.Kept.List(access.Preview(ctx).ID)
			for _, e := range entries {
				one := client.KeptEntry{Deployment: e.DeploymentID, Reason: string(e.Reason), Commit: e.SHA, At: e.At, Files: []client.KeptFile{}}
				for _, f := range e.Files {
					one.Files = append(one.Files, client.KeptFile{Name: f.Name, Bytes: f.Bytes, Dropped: f.Dropped})
				}
				out.Entries = append(out.Entries, one)
			}
			return ok(out), err
		})
	read := get("get-kept-log", pull+"/kept/{of}/{reason}/{file}", "Get a kept log as text", "logs")
	read.Responses = plain("text/plain", "The text, without terminal escapes.")
	register(a, read, a.keptFile)
}

// keptFile answers with a kept file. What is named has to be in the list: nothing else is ever opened.
func (a *api) keptFile(ctx context.Context, in *keptInput) (*huma.StreamResponse, error) {
	missing := fmt.Errorf("kept file %q: %w", in.File, preview.ErrNotFound)
	if a.Kept == nil {
		return nil, missing
	}
	entries, err := a.Kept.List(access.Preview(ctx).ID)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		for _, f := range e.Files {
			if e.DeploymentID != in.Of || string(e.Reason) != in.Reason || f.Name != in.File {
				continue
			}
			file, err := a.Kept.Read(e, f.Name)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				defer func() { _ = file.Close() }()
				hc.SetHeader("Content-Type", "text/plain; charset=utf-8")
				hc.SetHeader("X-Content-Type-Options", "nosniff")
				lasting(hc)
				copyPlain(hc.BodyWriter(), file)
			}}, nil
		}
	}
	return nil, missing
}

// copyPlain writes lines without their escapes.
func copyPlain(w io.Writer, r io.Reader) {
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			if _, err := io.WriteString(w, logs.Plain(strings.TrimRight(line, "\r\n"))+"\n"); err != nil {
				return
			}
		}
		if err != nil {
			return // what is there was sent
		}
	}
}
