package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"catalyst.dev/catalyst/internal/preview"
)

// Codes of the diagnoses that only this package gives; the others are in package preview.
const (
	CodeImageNotFound   = "IMAGE_NOT_FOUND"  // the registry has no such image or tag
	CodeImageDenied     = "IMAGE_DENIED"     // the registry wants credentials, or other ones
	CodeImageName       = "IMAGE_NAME"       // not the name of an image
	CodeContainerConfig = "CONTAINER_CONFIG" // a container refers to what is not there
	CodeCrashLoop       = "CRASH_LOOP"       // a container ends again and again
	CodeNotReady        = "NOT_READY"        // it was ready, and is no longer
	CodeOutOfMemory     = "OUT_OF_MEMORY"    // a container is killed for using more memory than it may
)

// maxEvidence is how many lines of foreign text a diagnosis shows.
const maxEvidence = 12

// kind adds the error kind of preview that an answer of the API server amounts to; an error that is no answer, or one
// that says that the server is in trouble, stays as it is: an outage.
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
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%w: %w", err, preview.ErrConflict)
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
	// A field that the kind does not have comes back as an internal error.
	if strings.Contains(status.Status().Message, "failed to create typed patch object") {
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
	applied    = regexp.MustCompile(`for object \S+/(\S+) \S+, Kind=(\w+)`)
	repeated   = regexp.MustCompile(`^\S+ "[^"]*" is (invalid|forbidden): |^failed to create typed patch object \([^)]*\): `)
	taken      = regexp.MustCompile(`\w+ "[^"]*" in namespace "[^"]*"`)
	nilPointer = regexp.MustCompile(`nil pointer evaluating [^\n]*\.(\w+)`)
	wrongType  = regexp.MustCompile(`can't evaluate field (\w+) in type [^\n]+`)
)

// applyFailure is the diagnosis of an object that the API server refused.
func applyFailure(err error, status apierrors.APIStatus) *preview.Failure {
	s := status.Status()
	object := "an object"
	if m := applied.FindStringSubmatch(err.Error()); m != nil {
		object = fmt.Sprintf("%s %q", m[2], m[1])
	} else if s.Details != nil && s.Details.Name != "" {
		object = fmt.Sprintf("%s %q", s.Details.Kind, s.Details.Name)
	}
	d := preview.Diagnosis{
		Code:  preview.CodeApply,
		Cause: fmt.Sprintf("The API server refused %s: %s", object, repeated.ReplaceAllString(oneLine(s.Message), "")),
		Fix:   "Correct the object in the chart or its values and push again.",
		Blame: preview.BlameChange,
	}
	if s.Details != nil {
		var evidence []string
		for _, cause := range s.Details.Causes {
			if cause.Field != "" {
				evidence = append(evidence, cause.Field+": "+oneLine(cause.Message))
			}
		}
		d.Evidence = tail(evidence)
	}
	if s.Code == http.StatusForbidden {
		d.Blame = preview.BlameConfig
		switch {
		case strings.Contains(s.Message, policyDenial):
			_, said, _ := strings.Cut(oneLine(s.Message), policyDenial)
			d.Cause = fmt.Sprintf("The API server refused %s: %s", object, said)
			d.Fix = "Change the chart, or its values for previews; docs/guards.md says what a preview may have."
		case strings.Contains(s.Message, "exceeded quota"):
			d.Fix = "Ask for less in the values (replicas, requests, limits), or have the quota of the namespace raised."
		case strings.Contains(s.Message, "cannot "):
			d.Fix = "Leave this kind of object out of the preview, or have Catalyst's role extended by it."
		}
	}
	return preview.Fail(err, d)
}

// renderFailure is the diagnosis of templates that do not render.
func renderFailure(err error) *preview.Failure {
	text := strings.TrimSpace(err.Error())
	lines := strings.Split(text, "\n")
	words := strings.Join(strings.Fields(text), " ")
	words = nilPointer.ReplaceAllString(words, `"$1" is read from a value that is not set`)
	words = wrongType.ReplaceAllString(words, `"$1" is read from a value that has no fields`)
	d := preview.Diagnosis{
		Code:  preview.CodeRender,
		Cause: "The chart does not render: " + limit(words, 400),
		Fix:   "Correct the template, or set the value it reads.",
		Blame: preview.BlameChange,
	}
	if len(lines) > 1 {
		d.Evidence = tail(lines)
	}
	return preview.Fail(err, d)
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
