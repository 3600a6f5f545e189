package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"catalyst.dev/catalyst/internal/sandbox"
)

// behind says how far behind everything else a child goes on once it has worked for so long, as Unix counts niceness: the server and whatever else is on the
// machine come first, then small charts, then those that take longer, for which see starved.
var behind = []struct {
	worked time.Duration // its processor time, the start included: a small chart's whole life takes some 100 ms
	nice   int
}{{0, 10}, {150 * time.Millisecond, 19}, {250 * time.Millisecond, 19}} // the last is when it enters the lane

// lookEvery is how often a child is looked at for that.
const lookEvery = 20 * time.Millisecond

// garbage has the child collect garbage seldom: it lives for one chart, and a third of its start would go into collecting. Its memory limit
// stands above it.
const garbage = "GOGC=400"

// process is a child, seen from the parent. One process renders one chart.
type process struct {
	hello  hello
	stdin  io.WriteCloser
	stdout io.ReadCloser
	talk   firstWords // standard error: what a Go program says when it dies
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	killed atomic.Bool   // it was ended from here
	late   atomic.Bool   // because its time was up
	where  string        // what it last said it works on
	once   sync.Once
}

// start runs a child and returns once it has said hello, which says whether it is shut.
func start(ctx context.Context, program string, limits Limits, confined, isolated bool) (*process, error) {
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{command}, childArgs(limits, confined)...)...) //nolint:noctx // it is started ahead of anybody who waits for it
	p.cmd.Args[0] = "catalyst"
	p.cmd.Env = []string{garbage} // nothing is inherited
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = sandbox.Attributes(isolated)
	p.cmd.Stderr = &p.talk
	p.cmd.WaitDelay = patience
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait would close it under the reader.
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.stdout, p.cmd.Stdout = out, in
	started := make(chan error, 1)
	go p.own(in, started)
	if err := <-started; err != nil {
		_ = out.Close()
		return nil, err
	}
	_ = sandbox.Lower(p.cmd.Process.Pid, behind[0].nice)
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	_, payload, err := readFrame(p.stdout, map[byte]uint32{frameHello: maxHello})
	if err == nil {
		err = unmarshal(payload, &p.hello)
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("no hello from the renderer (%w): %s", err, p.talk.String())
	}
	return p, nil
}

// own starts the process and waits for its end, on a thread of its own: the process dies with the thread that started it.
func (p *process) own(in *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	_ = in.Close()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // its state says more
	}
}

// kill ends the process; it may be called at any time, more than once.
func (p *process) kill() {
	if p.alive() {
		p.killed.Store(true)
		_ = p.cmd.Process.Kill()
	}
}

// expire ends the process because its time is up.
func (p *process) expire() {
	if p.alive() && !p.killed.Load() {
		p.late.Store(true)
		p.kill()
	}
}

// watch has the process stand back the longer it works (see behind), and then take turns with the others that do. It returns when the process has ended.
func (p *process) watch(l *lane) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for step := 1; step < len(behind); {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			if p.alive() && sandbox.Worked(p.cmd.Process.Pid) > behind[step].worked {
				if !errors.Is(sandbox.Lower(p.cmd.Process.Pid, behind[step].nice), syscall.EAGAIN) { // politeness only: it works without
					step++
				}
			}
		}
	}
	l.share(p)
}

func (p *process) signal(s syscall.Signal) {
	if p.alive() {
		_ = p.cmd.Process.Signal(s)
	}
}

// end ends the process and returns when nothing of it is left.
func (p *process) end() {
	p.once.Do(func() {
		p.kill()
		_ = p.stdin.Close()
		_ = p.stdout.Close()
		<-p.done
	})
}

// alive reports whether the process has not ended by itself.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ask sends the request and returns the payload of the reply.
func (p *process) ask(q Request) ([]byte, error) {
	sent := make(chan error, 1)
	go func() {
		err := writeRequest(p.stdin, q)
		_ = p.stdin.Close()
		sent <- err
	}()
	payload, err := p.listen()
	if err != nil {
		p.settle(err)
	}
	if sendErr := <-sent; err == nil && sendErr != nil {
		return nil, fmt.Errorf("send request: %w", sendErr)
	}
	return payload, err
}

// settle returns when a process that gave no reply has ended, and sending to it with it. One that closed its output is about to end by itself, and
// how it does is the reason.
func (p *process) settle(err error) {
	if !errors.Is(err, errFrame) {
		select {
		case <-p.done:
		case <-time.After(patience):
		}
	}
	p.end()
}

// patience is how long a process may take to end.
const patience = 2 * time.Second

// maxSteps is how often a child may say what it works on.
const maxSteps = 4 * 5000

func (p *process) listen() ([]byte, error) {
	for range maxSteps {
		kind, payload, err := readFrame(p.stdout, map[byte]uint32{frameProgress: maxProgress, frameReply: maxReply})
		if err != nil {
			return nil, fmt.Errorf("read reply: %w", err)
		}
		if kind == frameReply {
			return payload, nil
		}
		p.where = clean(string(payload), 200)
	}
	return nil, fmt.Errorf("read reply: no end: %w", errFrame)
}

// firstWords keeps the beginning of what is written to it and forgets the rest.
type firstWords struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (f *firstWords) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(b[:min(len(b), 4096-f.text.Len())])
	return len(b), nil
}

// String returns what was kept.
func (f *firstWords) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}
