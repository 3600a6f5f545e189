package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// maxEvidence is how many lines of foreign text a diagnosis shows.
const maxEvidence = 12

// kind adds the error kind of preview that an answer of the API server amounts to; an error that is no answer, or one
// that says that the server is in trouble, stays as it is: an outage. So does a conflict (409): it says that something changed meanwhile,
// while preview.ErrConflict says that a namespace is somebody else's, which only its labels can tell.
func kind(err error) error {
	switch {
	case err == nil:
		return nil
	case terminating(err):
		return fmt.Errorf("%w: %w", err, preview.ErrNotReady)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", err, preview.ErrNotFound)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: %w", err, preview.ErrForbidden)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return fmt.Errorf("%w: %w", err, preview.ErrInvalid)
	}
	return err
}

// terminating reports whether a write was refused because its namespace is being deleted.
func terminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// refusal returns the API server's answer when it means that the object itself is at fault: sending it again does not help.
func refusal(err error) (apierrors.APIStatus, bool) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || terminating(err) {
		return nil, false
	}
	if s := status.Status(); s.Code == http.StatusNotFound && s.Details != nil && s.Details.Kind == "namespaces" {
		return nil, false // deleted meanwhile
	}
	// A field that the kind does not have comes back as an internal error, as does a webhook that does not answer.
	if m := status.Status().Message; strings.Contains(m, "failed to create typed patch object") || strings.Contains(m, "failed calling webhook") {
		return status, true
	}
	switch status.Status().Code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return status, true
	}
	return nil, false
}

var (
	applied = regexp.MustCompile(`for object \S+/(\S+) \S+, Kind=(\w+)`)
	taken   = regexp.MustCompile(`\w+ "[^"]*" in namespace "[^"]*"`)
)

// applyFailure is the diagnosis of an object that the API server refused.
func applyFailure(err error, status apierrors.APIStatus) *preview.Failure {
	s := status.Status()
	refused := diagnose.Refusal{Code: int(s.Code), Message: s.Message}
	if m := applied.FindStringSubmatch(err.Error()); m != nil {
		refused.Ref = diagnose.Ref{Kind: m[2], Name: m[1]}
	} else if s.Details != nil && s.Details.Name != "" {
		refused.Ref = diagnose.Ref{Kind: s.Details.Kind, Name: s.Details.Name}
	}
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if cause.Field != "" {
				refused.Fields = append(refused.Fields, cause.Field+": "+oneLine(cause.Message))
			}
		}
	}
	f := preview.Fail(err, diagnose.Explain(diagnose.Observed{Refused: &refused}))
	f.Again = f.Diagnosis.Code == diagnose.CodeWebhookDown
	return f
}

// policyDenial stands before what an admission policy says.
const policyDenial = "denied request: "

// oneLine brings foreign text to one line of bearable length.
func oneLine(s string) string { return limit(strings.Join(strings.Fields(s), " "), 600) }

func limit(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// tail keeps the last lines that fit into a diagnosis.
func tail(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			kept = append(kept, limit(strings.TrimRight(line, " \r\t"), 300))
		}
	}
	return kept[max(0, len(kept)-maxEvidence):]
}
