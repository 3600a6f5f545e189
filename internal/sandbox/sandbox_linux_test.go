//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test program be the process that is shut: `program act free|shut ACTION ARGUMENT`.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "act" {
		os.Exit(act(os.Args[2] == "shut", os.Args[3], os.Args[4]))
	}
	os.Exit(m.Run())
}

var testLimits = Limits{Memory: 256 << 20, CPU: time.Second, Files: 32}

func act(shut bool, action, argument string) int {
	if shut {
		report, err := Enter(testLimits)
		if err != nil {
			fmt.Fprintln(os.Stdout, "enter:", err)
			return 3
		}
		fmt.Fprintln(os.Stdout, "landlock", report.Landlock)
	}
	if err := actions[action](argument); err != nil {
		fmt.Fprintln(os.Stdout, "failed:", err)
		return 1
	}
	fmt.Fprintln(os.Stdout, "did it")
	return 0
}

// actions are what foreign work may try. Each succeeds in a process that is free.
var actions = map[string]func(argument string) error{
	"read a file":   func(path string) error { _, err := os.ReadFile(path); return err },
	"write a file":  func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"list a folder": func(string) error { _, err := os.ReadDir("/"); return err },
	"look at a file": func(path string) error {
		_, err := os.Stat(path)
		return err
	},
	"connect": func(address string) error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err
	},
	"listen": func(string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			_ = l.Close()
		}
		return err
	},
	"make a socket": func(string) error { return closing(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) },
	"run a program": func(path string) error { return exec.Command(path).Run() },
	"become a program": func(path string) error {
		return syscall.Exec(path, []string{path}, nil)
	},
	"executable memory": func(string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"make memory executable": func(string) error {
		m, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		return unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC)
	},
	"signal the parent": func(string) error { return unix.Kill(os.Getppid(), 0) },
	"read what is left open": func(string) error {
		_, err := unix.Read(3, make([]byte, 1))
		return err
	},
	"gain privileges": func(string) error {
		value, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if value != 0 {
			return errors.New("cannot")
		}
		return err
	},
	"much memory": func(string) error {
		var kept [][]byte
		for range 400 {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		runtime.KeepAlive(kept)
		return nil
	},
	"long work": func(limit string) error {
		patience, err := time.ParseDuration(limit)
		for start := time.Now(); time.Since(start) < patience; {
		}
		return err
	},
	// What honest work needs.
	"honest work": func(string) error {
		in, err := io.ReadAll(os.Stdin)
		if err != nil || string(in) != "input" {
			return fmt.Errorf("read %q: %w", in, err)
		}
		var all sync.WaitGroup
		for range 32 { // threads, as they block in the kernel
			all.Go(func() {
				runtime.LockOSThread()
				time.Sleep(time.Millisecond) //nolint:forbidigo // the timer is what is tried
				b := make([]byte, 1<<20)
				_, _ = rand.Read(b)
				runtime.GC()
			})
		}
		all.Wait()
		_ = time.Now().Local().String()
		return nil
	},
}

func closing(fd int, err error) error {
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// outcome is how a child ended.
type outcome struct {
	code   int
	signal syscall.Signal
	out    string
}

func run(t *testing.T, attributes *syscall.SysProcAttr, mode, action, argument string) outcome {
	t.Helper()
	runtime.LockOSThread() // the child dies with its thread
	defer runtime.UnlockOSThread()
	open, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "act", mode, action, argument)
	cmd.SysProcAttr, cmd.Env, cmd.Stdin = attributes, []string{}, strings.NewReader("input")
	cmd.ExtraFiles = []*os.File{open}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", action, err)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	o := outcome{code: status.ExitStatus(), out: out.String()}
	if status.Signaled() {
		o.signal = status.Signal()
	}
	return o
}

// TestEnter: what works in a free process does not in a shut one, and honest work goes on.
func TestEnter(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		action, argument string
		code             int
		signal           syscall.Signal
		out              string
	}{
		{"honest work", "", 0, 0, "did it"},
		{"read a file", file, 1, 0, "operation not permitted"},
		{"write a file", file, 1, 0, "operation not permitted"},
		{"list a folder", "", 1, 0, "operation not permitted"},
		{"look at a file", file, 1, 0, "operation not permitted"},
		{"read what is left open", "", 1, 0, "bad file descriptor"},
		{"gain privileges", "", 1, 0, ""},
		{"connect", listener.Addr().String(), -1, syscall.SIGSYS, ""},
		{"listen", "", -1, syscall.SIGSYS, ""},
		{"make a socket", "", -1, syscall.SIGSYS, ""},
		{"run a program", "/bin/true", 1, 0, "operation not permitted"}, // not even /dev/null opens
		{"become a program", "/bin/true", -1, syscall.SIGSYS, ""},
		{"executable memory", "", -1, syscall.SIGSYS, ""},
		{"make memory executable", "", -1, syscall.SIGSYS, ""},
		{"signal the parent", "", -1, syscall.SIGSYS, ""},
		{"much memory", "", 2, 0, "out of memory"},
		{"long work", "2m", -1, syscall.SIGKILL, ""},
	} {
		t.Run(strings.ReplaceAll(c.action, " ", "-"), func(t *testing.T) {
			t.Parallel()
			if c.action != "long work" {
				if free := run(t, Attributes(false), "free", c.action, c.argument); free.code != 0 {
					t.Errorf("free: %+v: the action proves nothing", free)
				}
			}
			got := run(t, Attributes(false), "shut", c.action, c.argument)
			if got.code != c.code || got.signal != c.signal || !strings.Contains(got.out, c.out) {
				t.Errorf("shut: %+v, want code %d, signal %v, %q", got, c.code, c.signal, c.out)
			}
			if MayIsolate() {
				got := run(t, Attributes(true), "shut", c.action, c.argument)
				if got.code != c.code || got.signal != c.signal || !strings.Contains(got.out, c.out) {
					t.Errorf("isolated: %+v, want code %d, signal %v, %q", got, c.code, c.signal, c.out)
				}
			}
		})
	}
}

// TestAttributes: without the filter, too, a child of root has no network and is nobody.
func TestAttributes(t *testing.T) {
	t.Parallel()
	if !MayIsolate() {
		t.Skip("only root can isolate")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if o := run(t, Attributes(true), "free", "connect", listener.Addr().String()); o.code != 1 || !strings.Contains(o.out, "network is unreachable") {
		t.Errorf("connect: %+v", o)
	}
	if o := run(t, Attributes(true), "free", "signal the parent", ""); o.code != 1 || !strings.Contains(o.out, "not permitted") {
		t.Errorf("signal: %+v", o)
	}
}

// TestLower: the process is lowered, and with it the session that it leads, but nobody else's.
func TestLower(t *testing.T) {
	t.Parallel()
	for _, leads := range []bool{true, false} {
		cmd := exec.CommandContext(t.Context(), "/bin/cat")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: leads && Attributes(false).Setsid}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := Lower(cmd.Process.Pid, 19); err != nil {
			t.Error(err)
		}
		if got, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid); err != nil || got != 20-19 {
			t.Errorf("priority %d (%v)", got, err)
		}
		session, err := os.ReadFile(fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if lowered := strings.HasSuffix(strings.TrimSpace(string(session)), " nice 19"); err == nil && lowered != leads {
			t.Errorf("leads its session: %v; %s", leads, session)
		}
		if worked := Worked(cmd.Process.Pid); worked <= 0 || worked > time.Minute {
			t.Errorf("worked for %s", worked)
		}
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}
