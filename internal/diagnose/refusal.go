package diagnose

import (
	"fmt"
	"regexp"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

var (
	repeated   = regexp.MustCompile(`^\S+ "[^"]*" is (invalid|forbidden): |^failed to create typed patch object \([^)]*\): `)
	nilPointer = regexp.MustCompile(`nil pointer evaluating [^\n]*\.(\w+)`)
	wrongType  = regexp.MustCompile(`can't evaluate field (\w+) in type [^\n]+`)
)

// refused looks at what kept the release from being applied at all; nil when nothing did.
func (v *view) refused() *finding {
	switch {
	case v.Render != "":
		return rendering(v.Render)
	case v.Refused != nil:
		return refusal(*v.Refused)
	case v.CI != nil && (v.CI.Conclusion == "failure" || v.CI.Conclusion == "timed_out" || v.CI.Conclusion == "cancelled"):
		return &finding{
			code: CodeCI, hopeless: true, confidence: certain,
			cause: fmt.Sprintf("The build %s of this commit ended with %s, so there is no image.", quote(v.CI.Name), quote(v.CI.Conclusion)),
			fix:   "Mend the build; the preview follows by itself.",
		}
	}
	return nil
}

// rendering is about templates that do not render.
func rendering(message string) *finding {
	words := strings.Join(strings.Fields(message), " ")
	words = nilPointer.ReplaceAllString(words, `"$1" is read from a value that is not set`)
	words = wrongType.ReplaceAllString(words, `"$1" is read from a value that has no fields`)
	f := &finding{
		code: preview.CodeRender, hopeless: true, confidence: certain,
		cause: "The chart does not render: " + limit(words, 400),
		fix:   "Correct the template, or set the value it reads.",
	}
	f.evidence = strings.Split(strings.TrimSpace(message), "\n")
	return f
}

// refusal is about an object that the API server did not take.
func refusal(r Refusal) *finding {
	object := "an object"
	if r.Name != "" {
		object = r.Ref.String()
	}
	message := oneLine(r.Message)
	if strings.Contains(message, "another operation (install/upgrade/rollback) is in progress") {
		return &finding{
			code: CodeHelmLock, hopeless: true, confidence: certain,
			cause: "An earlier run that was cut off left the release locked.",
			fix:   "Deploy again: the lock is cleared first.",
		}
	}
	var f *finding
	if quota, _, ok := overQuota(object, message); ok {
		f = &quota
	} else if known := admission(object, message); known != nil {
		f = known
	} else {
		f = &finding{
			code: preview.CodeApply, confidence: certain,
			cause: fmt.Sprintf("The API server refused %s: %s", object, repeated.ReplaceAllString(message, "")),
			fix:   "Correct the object in the chart or its values and push again.",
		}
		if r.Code == 403 {
			f.blame = preview.BlameConfig
		}
		if r.Code == 403 && strings.Contains(message, "cannot ") {
			f.fix = "Leave this kind of object out of the preview, or have Catalyst's role extended by it."
		}
	}
	f.hopeless, f.evidence = true, r.Fields
	if len(f.evidence) == 0 {
		f.evidence = []string{message}
	}
	return f
}
