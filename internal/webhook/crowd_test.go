package webhook_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/webhook"
)

// dial opens a connection of its own that begins a delivery: the headers, and of the body what is given. The rest does not come.
func (b *bench) dial(length int, begun []byte) net.Conn {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", b.server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: catalyst\r\nContent-Type: application/json\r\nX-GitHub-Event: pull_request\r\n"+
		"X-Hub-Signature-256: sha256=%s\r\nContent-Length: %d\r\n\r\n", strings.Repeat("0", 64), length)
	if err == nil {
		_, err = conn.Write(begun)
	}
	if err != nil && !isCut(err) {
		b.Fatal(err)
	}
	return conn
}

// isCut reports whether the other side ended the connection while we wrote: it had to make room.
func isCut(err error) bool {
	return strings.Contains(err.Error(), "reset") || strings.Contains(err.Error(), "broken pipe")
}

// answered returns the status that a connection gets.
func answered(conn net.Conn) (int, error) {
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// honest sends deliveries as GitHub does, and requires each to be answered 200.
func (b *bench) honest(n int) {
	b.Helper()
	body := recorded(b.T, "pull_request", "opened")
	for i := range n {
		start := time.Now()
		if status, answer := b.signed(append(bytes.Clone(body), bytes.Repeat([]byte(" "), i)...), nil); status != http.StatusOK {
			b.Errorf("honest delivery %d: %d %s", i, status, answer)
		}
		b.Logf("honest delivery %d answered after %s", i, time.Since(start).Round(time.Millisecond))
	}
}

// TestSlowSenders (W4): a thousand connections whose headers or bodies do not come keep no delivery waiting, take little memory, and
// are ended one by one.
func TestSlowSenders(t *testing.T) {
	b := setup(t)
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	var slow []net.Conn
	for i := range 1000 {
		if i%2 == 0 {
			slow = append(slow, b.dial(20_000, []byte(`{"action":`)))
			continue
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: cata"); err != nil {
			t.Fatal(err)
		}
	}
	b.honest(20)
	runtime.ReadMemStats(&during)
	if grown := int64(during.HeapInuse+during.StackInuse) - int64(before.HeapInuse+before.StackInuse); grown > 128<<20 {
		t.Errorf("a thousand slow connections take %d MiB", grown>>20)
	}
	for _, conn := range slow {
		if status, err := answered(conn); status != http.StatusRequestTimeout {
			t.Fatalf("a body that does not come is answered %d, %v, want 408", status, err)
		}
	}
	b.honest(1)
}

// TestLargeBodiesMakeRoom (W4): bodies that come in quickly up to their last byte, and there stop, take no more than their room: the worst of
// them are ended for the sake of others.
func TestLargeBodiesMakeRoom(t *testing.T) {
	b := setup(t)
	most := bytes.Repeat([]byte("x"), webhook.MaxBody-1)
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range 30 { // 150 MiB
		conn := b.dial(webhook.MaxBody, most)
		all.Go(func() {
			status, err := answered(conn)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				status = 0 // reset while it still wrote
			}
			statuses[status]++
		})
	}
	b.honest(10)
	all.Wait()
	if ended := statuses[http.StatusServiceUnavailable] + statuses[0]; ended == 0 || statuses[http.StatusRequestTimeout] == 0 {
		t.Errorf("answers %v; want some that had to make room (503), and some that had not (408)", statuses)
	}
	if n := len(b.deliveries()); n != 10 {
		t.Errorf("%d deliveries stored, want the 10 honest ones", n)
	}
}

// endless is a body without an end that counts what is read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

// TestEndlessBody (W4): a body of unknown length is cut where bodies end.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := &endless{}
	status, answer := b.post(io.LimitReader(body, 10<<30), map[string]string{"X-Hub-Signature-256": "sha256=" + strings.Repeat("0", 64)})
	if status != http.StatusRequestEntityTooLarge && !strings.Contains(answer, "reset") && !strings.Contains(answer, "broken pipe") {
		t.Errorf("%d %s", status, answer)
	}
	if body.read > 64<<20 {
		t.Errorf("%d MiB were taken", body.read>>20)
	}
	if n := len(b.deliveries()); n != 0 {
		t.Errorf("%d deliveries stored", n)
	}
}

// TestRefusedUnread (W4): who has no signature, or announces too much, is refused before the body is read.
func TestRefusedUnread(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		header string
		want   int
	}{
		"no signature": {"Content-Length: 1000", http.StatusUnauthorized},
		"too large":    {fmt.Sprintf("X-Hub-Signature-256: sha256=%s\r\nContent-Length: %d", strings.Repeat("0", 64), webhook.MaxBody+1), http.StatusRequestEntityTooLarge},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: catalyst\r\nContent-Type: application/json\r\n%s\r\n\r\n", c.header); err != nil {
			t.Fatal(err)
		}
		if status, err := answered(conn); status != c.want {
			t.Errorf("%s: %d, %v, want %d although nothing of the body came", name, status, err, c.want)
		}
		_ = conn.Close()
	}
}
