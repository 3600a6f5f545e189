package render

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"catalyst.dev/catalyst/internal/preview"
)

// starved is the part of its time that a child must have been let work before the chart is blamed for taking too long.
const starved = 100

// verdict names why a child gave no reply, from how it ended. It is called when the process has ended.
func (r *Renderer) verdict(p *process, err error) error {
	words := p.talk.String()
	detail := fmt.Errorf("%w; the renderer: %s; it said: %s", err, p.cmd.ProcessState, clean(words, 400))
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	signal := syscall.Signal(0)
	if status.Signaled() {
		signal = status.Signal()
	}
	// Nobody else but the kernel ends it: its processor time is up, or the machine or the container is short of memory.
	byKernel := signal == syscall.SIGKILL && !p.killed.Load()
	worked := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	switch {
	case p.late.Load() && worked < r.limits.Time/starved:
		// What is behind everything else may get nothing where everything else is busy. That says nothing about the chart.
		return fmt.Errorf("render: this machine is too busy: within %s the renderer got %s of a processor: %w", r.limits.Time, worked, detail)
	case p.late.Load(), byKernel && worked >= r.limits.Time-r.limits.Time/10:
		return r.stopped(detail, p, fmt.Sprintf("takes longer than %s", r.limits.Time))
	case outOfMemory.MatchString(words), byKernel:
		return r.stopped(detail, p, fmt.Sprintf("needs more than %d MiB of memory", r.limits.Memory>>20))
	case strings.Contains(words, "stack exceeds"), strings.Contains(words, "stack overflow"):
		return r.stopped(detail, p, "goes deeper and deeper: something calls itself without end")
	case signal == syscall.SIGSYS:
		return r.crashed(detail, p, "it tried to reach out of its sandbox")
	case errors.Is(err, errFrame):
		return r.crashed(detail, p, "the renderer answered with something else than a rendered chart")
	}
	return r.crashed(detail, p, "the renderer crashed")
}

var outOfMemory = regexp.MustCompile(`out of memory|cannot allocate memory|failed to reserve|MAP_FIXED`)

// stopped is the diagnosis of a chart that wants more than there is.
func (r *Renderer) stopped(err error, p *process, what string) error {
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeRenderLimit,
		Cause: fmt.Sprintf("Rendering the chart %s, and was stopped%s.", what, place(p)),
		Fix:   "Look for a loop, a recursion or a very large text there.",
		Blame: preview.BlameChange,
	})
}

func (r *Renderer) crashed(err error, p *process, what string) error {
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeRender,
		Cause: fmt.Sprintf("The chart does not render: %s%s.", what, place(p)),
		Fix:   "Check the chart with `helm template`, and push again.",
		Blame: preview.BlameChange,
	})
}

func place(p *process) string {
	if p.where == "" {
		return ""
	}
	return " while working on " + p.where
}
