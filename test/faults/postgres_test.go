//go:build faults

package faults

import (
	"context"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// TestPostgres: the database server itself has a bad day while there is work.
func TestPostgres(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		inShort bool
		spoil   func(s *scene, p *lab.Postgres, r *lab.Replica, work busy) (hits int)
	}{
		{"connections terminated", true, terminate},
		{"crashed and restarted", false, restart},
		{"read-only", false, readOnly},
		{"failed over", false, failOver},
		{"clock an hour ahead", false, func(s *scene, p *lab.Postgres, _ *lab.Replica, work busy) int { return jump(s, p, work, time.Hour) }},
		{"clock an hour back", false, func(s *scene, p *lab.Postgres, _ *lab.Replica, work busy) int { return jump(s, p, work, -time.Hour) }},
	} {
		if !*full && !test.inShort {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := lab.StartPostgres(t)
			s := setup(t, lab.Options{Postgres: p})
			if err := p.FakeClock(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the end of PostgreSQL's log:\n%s", p.Log())
				}
			})
			r := s.start()
			work := s.before()
			hits := test.spoil(s, p, r, work)
			s.healed("postgres "+test.name, hits)
		})
	}
}

// terminate ends every session of the database again and again.
func terminate(s *scene, p *lab.Postgres, r *lab.Replica, work busy) int {
	s.Helper()
	s.during(work)
	began, rounds := time.Now(), 0
	err := rig.Until(s.Context(), limit, "the outage is over", func() (bool, error) {
		rounds++
		return time.Since(began) > outage, p.Exec(s.Context(), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'catalyst'")
	})
	if err != nil {
		s.Fatal(err)
	}
	if logged(r, "57P01")+logged(r, "conn closed")+logged(r, "unexpected EOF") == 0 {
		s.Log("Catalyst's log tells of no lost connection: all were taken up again in silence")
	}
	return rounds
}

// restart crashes the server and starts it again.
func restart(s *scene, p *lab.Postgres, r *lab.Replica, work busy) int {
	s.Helper()
	s.during(work)
	p.Crash()
	refused := func() int { return logged(r, "failed to connect") }
	s.met("a crash of PostgreSQL", time.Now(), refused)
	if err := p.Restart(); err != nil {
		s.Fatal(err)
	}
	return refused()
}

// readOnly has the server take nothing for a while, and the sessions that were opened meanwhile go on so: they were made with a
// server that has lost its rank.
func readOnly(s *scene, p *lab.Postgres, r *lab.Replica, work busy) int {
	s.Helper()
	execAll(s, p, "ALTER DATABASE catalyst SET default_transaction_read_only = on",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'catalyst'")
	began := time.Now()
	s.during(work)
	refused := func() int { return logged(r, "25006") }
	s.met("a server that takes nothing", began, refused)
	execAll(s, p, "ALTER DATABASE catalyst RESET default_transaction_read_only")
	return refused()
}

// failOver has the server die for good, and its standby take over.
func failOver(s *scene, p *lab.Postgres, r *lab.Replica, work busy) int {
	s.Helper()
	standby, err := p.Standby(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.during(work)
	if err := rig.Until(s.Context(), limit, "something is under way", func() (bool, error) { return s.deploying() > 0, nil }); err != nil {
		s.Fatal(err)
	}
	p.Crash()
	refused := func() int { return logged(r, "failed to connect") }
	s.met("the death of PostgreSQL", time.Now(), refused)
	if err := standby.Promote(s.Context()); err != nil {
		s.Fatal(err)
	}
	return refused()
}

// jump sets the database's clock while there is work. What was deployed and is owed must come all the same, and once.
func jump(s *scene, p *lab.Postgres, work busy, by time.Duration) int {
	s.Helper()
	s.during(work)
	if err := rig.Until(s.Context(), limit, "something is under way", func() (bool, error) { return s.deploying() > 0, nil }); err != nil {
		s.Fatal(err)
	}
	if err := p.SetClock(s.Context(), by); err != nil {
		s.Fatal(err)
	}
	return 1
}

// deploying is how many previews are being deployed.
func (s *scene) deploying() int {
	s.Helper()
	db, err := s.Database(s.Context())
	if err != nil {
		return 0
	}
	defer func() { _ = db.Close() }()
	counts, err := db.CountPreviews(s.Context())
	if err != nil {
		return 0
	}
	return int(counts["deploying"])
}

func execAll(s *scene, p *lab.Postgres, statements ...string) {
	s.Helper()
	for _, sql := range statements {
		if err := p.Exec(context.WithoutCancel(s.Context()), "postgres", sql); err != nil {
			s.Fatal(err)
		}
	}
}
