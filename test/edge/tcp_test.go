package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// echo is a server that answers each line with itself, and notes it.
func echo(t *testing.T) (address string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				for lines := bufio.NewReader(c); ; {
					line, err := lines.ReadString('\n')
					if err != nil {
						return
					}
					got <- line
					if _, err := io.WriteString(c, line); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), got
}

func start(t *testing.T) (*TCP, chan string) {
	t.Helper()
	address, got := echo(t)
	e, err := NewTCP(Dial("tcp", address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e, got
}

func dial(t *testing.T, e *TCP) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", e.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a line and reads the answer.
func ask(c net.Conn, patience time.Duration) (string, error) {
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func well(t *testing.T, c net.Conn) {
	t.Helper()
	if line, err := ask(c, time.Minute); line != "hello\n" {
		t.Errorf("answer %q, %v", line, err)
	}
}

// TestModes: each mode does what it says to connections that are open and to new ones, and new ones are well when it is over.
func TestModes(t *testing.T) {
	t.Parallel()
	const moment = 300 * time.Millisecond
	for mode, test := range map[Mode]func(t *testing.T, e *TCP, c net.Conn, got chan string){
		Pass: func(t *testing.T, _ *TCP, c net.Conn, _ chan string) { well(t, c) },
		Slow: func(t *testing.T, _ *TCP, c net.Conn, _ chan string) {
			began := time.Now()
			well(t, c)
			if took := time.Since(began); took < 2*slowness {
				t.Errorf("there and back in %s", took)
			}
		},
		Down: func(t *testing.T, e *TCP, c net.Conn, _ chan string) {
			if _, err := ask(c, time.Minute); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("the open connection: %v", err)
			}
			if _, err := net.Dial("tcp", e.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a new one: %v", err)
			}
		},
		Reset: func(t *testing.T, e *TCP, c net.Conn, _ chan string) {
			if _, err := ask(c, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the open connection: %v", err)
			}
			c, err := net.Dial("tcp", e.Address())
			if err == nil { // the reset may come only now
				_, err = ask(c, time.Minute)
				_ = c.Close()
			}
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("a new one: %v", err)
			}
		},
		HalfOpen: func(t *testing.T, e *TCP, c net.Conn, got chan string) {
			for _, c := range []net.Conn{c, dial(t, e)} {
				if _, err := ask(c, moment); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("not silent: %v", err)
				}
			}
			if len(got) != 0 {
				t.Errorf("%q arrived", <-got)
			}
		},
		ReplyLost: func(t *testing.T, _ *TCP, c net.Conn, got chan string) {
			if _, err := ask(c, time.Minute); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the reply: %v", err)
			}
			<-got
		},
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			e, got := start(t)
			c := dial(t, e)
			well(t, c)
			<-got
			if err := e.Set(mode); err != nil {
				t.Fatal(err)
			}
			test(t, e, c, got)
			if (e.Hits() > 0) != (mode != Pass) {
				t.Errorf("%d hits", e.Hits())
			}
			if err := e.Set(Pass); err != nil {
				t.Fatal(err)
			}
			well(t, dial(t, e))
		})
	}
}

// TestRedirect: new connections go to the new server, and the old ones are reset.
func TestRedirect(t *testing.T) {
	t.Parallel()
	e, first := start(t)
	c := dial(t, e)
	well(t, c)
	<-first
	address, second := echo(t)
	e.Redirect(Dial("tcp", address))
	if _, err := ask(c, time.Minute); err == nil {
		t.Error("the old connection still answers")
	}
	well(t, dial(t, e))
	<-second
	if len(first) != 0 {
		t.Error("the old server got something")
	}
}
