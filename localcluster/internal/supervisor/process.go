package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"catalyst.dev/catalyst/localcluster/internal/component"
	"catalyst.dev/catalyst/localcluster/internal/process"
)

// running is a started component.
type running struct {
	name string
	id   process.ID
	done chan struct{} // closed once it has ended
	exit string        // how; only after done
}

func (r *running) alive() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// family starts processes and waits for them. As the first process of a process namespace the supervisor also inherits
// orphans, so it is the only place that waits, for any child.
type family struct {
	mu       sync.Mutex // held while starting, so that a child that ends at once is known before it is waited for
	children map[int]*running
	ended    chan *running
	work     chan func()
}

func newFamily() *family {
	f := &family{children: map[int]*running{}, ended: make(chan *running, 64), work: make(chan func())}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	go func() {
		for range signals {
			f.reap()
		}
	}()
	go func() {
		// A child is told to die with the thread that started it, which therefore must live as long as the supervisor.
		runtime.LockOSThread()
		for w := range f.work {
			w()
		}
	}()
	return f
}

// start runs c with its output in the file log.
func (f *family) start(c component.Component, env []string, log string) (*running, error) {
	if err := os.Rename(log, log+".old"); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = env, out, out, c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	f.mu.Lock()
	defer f.mu.Unlock()
	started := make(chan error)
	f.work <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	r := &running{name: c.Name, done: make(chan struct{})}
	r.id, err = process.Of(cmd.Process.Pid) // at worst a dead process not yet waited for
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	f.children[r.id.PID] = r
	return r, nil
}

func (f *family) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		f.mu.Lock()
		r := f.children[pid]
		delete(f.children, pid)
		f.mu.Unlock()
		if r == nil {
			continue
		}
		r.exit = describe(status)
		close(r.done)
		f.ended <- r
	}
}

func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "killed by signal " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}
