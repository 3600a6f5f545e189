package webhook

import (
	"testing"
	"time"
)

// TestWorst: who makes room is who took the most of it for the longest, of the client that did; a delivery that has just come is not.
func TestWorst(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(client string, held int64, age time.Duration) *sender {
		return &sender{client: client, held: held, since: now.Add(-age)}
	}
	honest := at("github", 400<<10, 50*time.Millisecond)
	slow := at("mallory", entrance, 4*time.Second)
	large := at("mallory", 5<<20, 4*time.Second)
	slowGitHub := at("github", 5<<20, 2*time.Second)
	for name, c := range map[string]struct {
		senders []*sender
		want    *sender
	}{
		"alone":                       {[]*sender{honest}, honest},
		"the slow one":                {[]*sender{honest, slow}, slow},
		"the large one of the two":    {[]*sender{honest, slow, large}, large},
		"of the client with the most": {append(many(200, at("mallory", entrance, 4*time.Second)), slowGitHub), nil},
		"behind one proxy":            {append(many(200, at("github", entrance, 4*time.Second)), honest), nil},
		"who made room already":       {[]*sender{honest, {client: "mallory", held: 5 << 20, since: now.Add(-time.Minute), out: true}}, honest},
	} {
		in := newIntake()
		for _, s := range c.senders {
			in.senders[s] = struct{}{}
		}
		got := in.worst(now)
		if c.want != nil && got != c.want || c.want == nil && got.held != entrance {
			t.Errorf("%s: %s with %d bytes for %s makes room", name, got.client, got.held, now.Sub(got.since))
		}
	}
}

func many(n int, like *sender) []*sender {
	var list []*sender
	for range n {
		s := *like
		list = append(list, &s)
	}
	return list
}

// TestClient: an address is one client, of IPv6 the network of one customer.
func TestClient(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[::ffff:192.0.2.1]:1": "::ffff:192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::9%eth0]:5": "2001:db8:1:2::/64", "@": "@",
	} {
		if got := client(remote); got != want {
			t.Errorf("client(%q) = %q, want %q", remote, got, want)
		}
	}
}

// TestTake: room that was taken is given back, whoever had to make room.
func TestTake(t *testing.T) {
	t.Parallel()
	in := newIntake()
	enter := func(held int64) *sender {
		s := &sender{in: in, client: "one", since: time.Now(), cut: func() {}}
		in.senders[s] = struct{}{}
		if err := s.take(held); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := enter(room/2), enter(room/2)
	third := enter(room / 4)
	if gone := first.out != second.out; !gone || third.out {
		t.Errorf("out: %t, %t, %t; want one of the first two", first.out, second.out, third.out)
	}
	for _, s := range []*sender{first, second, third} {
		if err := s.take(1); s.out == (err == nil) {
			t.Errorf("out %t, and takes more: %v", s.out, err)
		}
		in.leave(s)
	}
	if in.free != room || len(in.senders) != 0 {
		t.Errorf("%d bytes free and %d senders when all have left, want %d and none", in.free, len(in.senders), room)
	}
}
