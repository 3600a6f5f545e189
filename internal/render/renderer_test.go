package render

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"catalyst.dev/catalyst/internal/preview"
)

// TestMain lets the test program be children that lie: an honest one it is by itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "as-nobody" {
		os.Exit(asNobody())
	}
	if len(os.Args) > 1 && os.Args[1] == "without-seccomp" {
		fmt.Fprintln(os.Stderr, withoutSeccomp(os.Args[2:]))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// renderer makes one for the test, with limits that a test can wait for.
func renderer(t testing.TB, change func(*Options)) *Renderer {
	t.Helper()
	o := Options{Limits: Limits{Time: 3 * time.Second, Memory: 384 << 20}, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	r := New(o)
	t.Cleanup(r.Close)
	return r
}

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}}\n"

// TestRenderer: the whole way, through a child.
func TestRenderer(t *testing.T) {
	t.Parallel()
	r := renderer(t, func(o *Options) { o.Limits = Limits{} })
	if err := r.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 6 { // more than are started ahead
		all.Go(func() {
			name := fmt.Sprintf("name-%d", i)
			got, err := r.Render(t.Context(), request(files("templates/a.yaml", settings+`data: {zone: {{ now.Location.String | quote }}}`), map[string]any{"name": name}))
			if err != nil {
				t.Error(err)
				return
			}
			want := strings.ReplaceAll(settings, "{{ .Values.name }}", name) + `data: {zone: "UTC"}`
			if got.Name != "web" || got.AppVersion != "7" || len(got.Documents) != 1 || got.Documents[0].Text != want || got.Values["name"] != name {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
}

// TestEnds: work that does not end, and work that takes everything, is stopped, and the place is told.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, template string
		code           string
		parts          []string
	}{
		{"endless", "{{ range until 10000 }}{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}{{ end }}", preview.CodeRenderLimit, []string{"takes longer than 3s", "web/templates/a.yaml"}},
		{"memory", "{{ range until 2000000000 }}{{ end }}", preview.CodeRenderLimit, []string{"more than 384 MiB of memory", "web/templates/a.yaml"}},
		{"output", "{{ range until 1000000 }}{{ repeat 2000 \"A\" }}{{ end }}", preview.CodeRenderLimit, []string{"more than 384 MiB of memory", "web/templates/a.yaml"}},
		{"depth", `{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}`, preview.CodeRender, []string{"exceeded maximum template depth", "web/templates/a.yaml:1:28"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := renderer(t, func(o *Options) {
				if c.name != "endless" {
					o.Limits.Time = time.Minute
				}
			})
			_, err := r.Render(t.Context(), request(files("templates/a.yaml", c.template), nil))
			wantFailure(t, c.name, diagnosis(t, err), c.code, c.parts...)
		})
	}
}

// TestCancelled: the caller's end is the child's, and no failure of the chart.
func TestCancelled(t *testing.T) {
	t.Parallel()
	r := renderer(t, func(o *Options) { o.Limits.Time = time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	q := request(files("templates/a.yaml", "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"), nil)
	ended := make(chan error)
	go func() {
		_, err := r.Render(ctx, q)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	go func() {
		_, err := r.Render(t.Context(), q)
		ended <- err
	}()
	r.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("closed: %v, want context.Canceled", err)
	}
}

// TestNotShut: where the child cannot shut itself, nothing is rendered, unless the operator has said that it may be.
func TestNotShut(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := script(t, fmt.Sprintf(`exec %q without-seccomp "$@"`, self))
	q := request(files("templates/a.yaml", settings), map[string]any{"name": "a"})
	r := renderer(t, func(o *Options) { o.Program = program })
	if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "seccomp") {
		t.Errorf("check: %v", err)
	}
	_, err = r.Render(t.Context(), q)
	wantFailure(t, "not shut", diagnosis(t, err), preview.CodeSandbox, "the kernel has no seccomp filters", "render.sandbox: optional")
	r = renderer(t, func(o *Options) { o.Program, o.Unconfined = program, true })
	if got, err := r.Render(t.Context(), q); err != nil || len(got.Documents) != 1 {
		t.Errorf("optional: %+v, %v", got, err)
	}
	r = renderer(t, func(o *Options) { o.Program = "/nowhere" })
	_, err = r.Render(t.Context(), q)
	wantFailure(t, "no program", diagnosis(t, err), preview.CodeSandbox, "no such file")
}

// withoutSeccomp becomes a child on a system that has no seccomp: it takes the system call away from itself.
func withoutSeccomp(args []string) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SECCOMP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	description := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&description)), 0, 0); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", append([]string{"catalyst"}, args...), nil)
}

// TestNoChildForNothing: however many charts come at once, one child more than charts is started, which waits for the next.
func TestNoChildForNothing(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "catalyst-started-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	started := filepath.Join(dir, "started")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(started, nil, 0o666), os.Chmod(started, 0o666)); err != nil { // the children may be another user's
		t.Fatal(err)
	}
	r := renderer(t, func(o *Options) {
		o.Program, o.Limits.Time = script(t, "echo started >>"+started+"; exec "+self+` "$@"`), 30*time.Second
	})
	const charts = 6
	var all sync.WaitGroup
	for range charts {
		all.Go(func() {
			if _, err := r.Render(t.Context(), request(files("templates/a.yaml", settings), nil)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r.Close()
	b, err := os.ReadFile(started)
	if n := strings.Count(string(b), "\n"); err != nil || n < charts || n > charts+1 {
		t.Errorf("%d children for %d charts (%v)", n, charts, err)
	}
}

// TestLies: a child that was taken over, or is broken, gets nowhere with what it says.
func TestLies(t *testing.T) {
	t.Parallel()
	const hello = `printf 'h\000\000\000\002{}'; `
	for _, c := range []struct {
		name, text string
		code       string
		parts      []string
	}{
		{"no hello", `echo oh dear >&2`, preview.CodeSandbox, []string{"no hello", "oh dear"}},
		{"a long hello", `printf 'h\377\377\377\377'; cat`, preview.CodeSandbox, []string{"no hello"}},
		{"ends", hello + `cat >/dev/null; echo panic: something >&2; exit 2`, preview.CodeRender, []string{"the renderer crashed"}},
		{"ends at once", hello + `exit 0`, preview.CodeRender, []string{"the renderer crashed"}},
		{"place", hello + `printf 'p\000\000\000\005a\033[mb'; cat >/dev/null`, preview.CodeRender, []string{"crashed while working on a[mb"}},
		{"endless reply", hello + `printf 'r\377\377\377\377'; exec cat /dev/zero`, preview.CodeRender, []string{"something else than a rendered chart"}},
		{"garbage", hello + `exec cat /dev/zero`, preview.CodeRender, []string{"something else than a rendered chart"}},
		{"no JSON", hello + `printf 'r\000\000\000\001{'; cat >/dev/null`, preview.CodeRender, []string{"the renderer crashed"}},
		{"endless progress", hello + `yes "$(printf 'p\001')" | tr '\n' '\001'`, preview.CodeRender, nil},
		{"busy", hello + `cat >/dev/null; while :; do :; done`, preview.CodeRenderLimit, []string{"takes longer than"}},
		{"silence", hello + `cat >/dev/null; exec sleep 60`, "", []string{"this machine is too busy"}},
		{"does not read", hello + `exec sleep 60`, "", []string{"this machine is too busy"}},
		{"killed", hello + `kill -9 $$`, preview.CodeRenderLimit, []string{"memory"}},
		{"out of its sandbox", hello + `kill -SYS $$`, preview.CodeRender, []string{"reach out of its sandbox"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := 30 * time.Second
			if strings.Contains(c.text, "sleep 60") || c.name == "busy" {
				limit = 2 * time.Second // which it takes
			}
			r := renderer(t, func(o *Options) { o.Program, o.Limits.Time = script(t, c.text), limit })
			q := request(files("large", strings.Repeat("x", 1<<20)), nil) // more than a pipe holds
			_, err := r.Render(t.Context(), q)
			if c.code == "" { // an outage: it says nothing about the chart
				if _, failure := errors.AsType[*preview.Failure](err); failure || err == nil || !strings.Contains(err.Error(), c.parts[0]) {
					t.Errorf("%v, want an outage with %q", err, c.parts[0])
				}
				return
			}
			wantFailure(t, c.name, diagnosis(t, err), c.code, c.parts...)
		})
	}
}

// script is a shell program in the child's place.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUnprivileged: all of it works for a user without any privilege, as in an ordinary container.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("all other tests show it")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "as-nobody")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1 documents, then RENDER_LIMIT" {
		t.Errorf("%v: %s", err, out)
	}
}

func asNobody() int {
	r := New(Options{Limits: Limits{Time: 3 * time.Second, Memory: 384 << 20}})
	defer r.Close()
	got, err := r.Render(context.Background(), request(files("templates/a.yaml", settings), map[string]any{"name": "a"}))
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	_, err = r.Render(context.Background(), request(files("templates/a.yaml", "{{ range until 2000000000 }}{{ end }}"), nil))
	failure, ok := errors.AsType[*preview.Failure](err)
	if !ok {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	fmt.Fprintf(os.Stdout, "%d documents, then %s\n", len(got.Documents), failure.Diagnosis.Code)
	return 0
}

// BenchmarkRender is what a rendering costs with the next child started ahead, and without.
func BenchmarkRender(b *testing.B) {
	q := request(files("templates/a.yaml", settings), map[string]any{"name": "a"})
	r := renderer(b, func(o *Options) { o.Limits = Limits{} })
	for b.Loop() {
		b.StopTimer()
		p := <-r.ahead
		r.ahead <- p
		b.StartTimer()
		if _, err := r.Render(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart is what is saved by starting a child ahead.
func BenchmarkStart(b *testing.B) {
	r := renderer(b, func(o *Options) { o.Limits = Limits{} })
	for b.Loop() {
		if err := r.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
