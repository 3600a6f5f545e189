//go:build faults

package faults

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
)

// TestEdges: each edge is spoilt in each way while there is work, then well again.
func TestEdges(t *testing.T) {
	t.Parallel()
	edges := map[string]func(*lab.Replica) *edge.TCP{
		"kubernetes": func(r *lab.Replica) *edge.TCP { return r.Kube },
		"github":     func(r *lab.Replica) *edge.TCP { return r.Hub },
		"database":   func(r *lab.Replica) *edge.TCP { return r.Database },
	}
	modes := []edge.Mode{edge.Down, edge.Reset, edge.HalfOpen, edge.ReplyLost, edge.Slow}
	short := map[string]edge.Mode{"kubernetes": edge.Reset, "github": edge.Down, "database": edge.ReplyLost}
	for name, of := range edges {
		for _, mode := range modes {
			if !*full && short[name] != mode {
				continue
			}
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				t.Parallel()
				s := setup(t, postgres(t))
				r := s.start()
				work := s.before()
				e := of(r)
				began := time.Now()
				if err := e.Set(mode); err != nil {
					t.Fatal(err)
				}
				s.during(work)
				hits := e.Hits
				if mode == edge.Down { // only those who are refused know it
					hits = func() int { return logged(r, e.Address()+": connect: connection refused") }
				}
				s.met(name+" "+mode.String(), began, hits)
				if err := e.Set(edge.Pass); err != nil {
					t.Fatal(err)
				}
				s.healed(name+" "+mode.String(), hits())
			})
		}
	}
}
