package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/rig"
)

// Postgres is a PostgreSQL service that a test may crash, restart and fail over. Unlike the server that most tests share it keeps
// what it has acknowledged through a crash of its own, and on a standby.
type Postgres struct {
	bin, dir string

	mu      sync.Mutex // guards what follows
	current *server
	servers int
}

// server is one server of the service, reached over a socket in its directory.
type server struct {
	dir string
	cmd *exec.Cmd
}

// StartPostgres starts the service with one server, and ends all of it when the test ends. Without PostgreSQL the test is skipped, or
// fails when CI=true.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	bin, err := storetest.Programs()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{bin: bin}
	// A socket's path has at most 107 bytes, which a test's own directory can exceed.
	if p.dir, err = os.MkdirTemp("/tmp", "catalyst-lab"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Crash()
		if err := os.RemoveAll(p.dir); err != nil {
			t.Error(err)
		}
	})
	s, err := p.add(func(dir string) error {
		return p.run("initdb", "-D", dir+"/data", "-U", "catalyst", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	})
	if err == nil {
		p.current = s
		err = p.Exec(t.Context(), "postgres", "CREATE DATABASE catalyst")
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// add makes a directory, has it filled and starts a server in it.
func (p *Postgres) add(fill func(dir string) error) (*server, error) {
	p.mu.Lock()
	p.servers++
	s := &server{dir: filepath.Join(p.dir, fmt.Sprint(p.servers))}
	p.mu.Unlock()
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // as whom the server refuses to run
		if err := errors.Join(os.Chmod(p.dir, 0o711), os.Chown(s.dir, nobody, nobody)); err != nil {
			return nil, err
		}
	}
	if err := fill(s.dir); err != nil {
		return nil, err
	}
	return s, p.start(s)
}

const nobody = 65534

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(p.bin, program), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

func (p *Postgres) run(program string, args ...string) error {
	if out, err := p.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// start starts the server on its data and returns when it answers.
func (p *Postgres) start(s *server) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// Synchronous commits as a server has them; that the disk may forget them in a power cut saves time and is no part of the test.
	s.cmd = p.command("postgres", "-D", s.dir+"/data", "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100", "-c", "hot_standby=on")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	err = rig.Until(context.Background(), time.Minute, "PostgreSQL answers", func() (bool, error) {
		return s.exec(context.Background(), "postgres", "SELECT 1") == nil, nil
	})
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%w; its log:\n%s", err, text)
	}
	return nil
}

func (s *server) dsn(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("catalyst"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String()
}

func (s *server) exec(ctx context.Context, database, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

func (p *Postgres) primary() *server {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// DSN names the database as the test reaches it, past the edges.
func (p *Postgres) DSN() string { return p.primary().dsn("catalyst") }

// Dial connects to whichever server is the primary.
func (p *Postgres) Dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.primary().dir, ".s.PGSQL.5432"))
}

// Exec runs statements on the primary.
func (p *Postgres) Exec(ctx context.Context, database, sql string) error {
	return p.primary().exec(ctx, database, sql)
}

// Crash ends the primary and all its connections at once, which leaves it to be recovered at its next start.
func (p *Postgres) Crash() {
	s := p.primary()
	if s == nil || s.cmd == nil || s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	_ = s.cmd.Wait()
}

// Restart starts the primary again on what its crash has left.
func (p *Postgres) Restart() error {
	return p.start(p.primary())
}

// Standby adds a server that follows the primary, which from then on acknowledges nothing that is not on both.
func (p *Postgres) Standby(ctx context.Context) (*Standby, error) {
	primary := p.primary()
	s, err := p.add(func(dir string) error {
		return p.run("pg_basebackup", "-D", dir+"/data", "-R", "-X", "stream", "-c", "fast", "-h", primary.dir, "-U", "catalyst", "--no-sync")
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		primary.exec(ctx, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'"),
		primary.exec(ctx, "postgres", "SELECT pg_reload_conf()"),
		primary.exec(ctx, "postgres", "CREATE TABLE followed (x int)")) // returns when the standby has it
	return &Standby{p: p, server: s}, err
}

// Standby is a server that can take the primary's place.
type Standby struct {
	p      *Postgres
	server *server
}

// Promote makes it the primary. The old one must be down.
func (s *Standby) Promote(ctx context.Context) error {
	if err := s.server.exec(ctx, "postgres", "SELECT pg_promote()"); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.current = s.server
	return nil
}

// Log returns the end of the primary's log.
func (p *Postgres) Log() string {
	f, err := os.Open(filepath.Join(p.primary().dir, "log"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// FakeClock puts a clock that SetClock sets in front of the server's own, for the database's ordinary sessions: functions of that name
// that are found first.
func (p *Postgres) FakeClock(ctx context.Context) error {
	return p.Exec(ctx, "catalyst", `
		CREATE SCHEMA fake;
		CREATE TABLE fake.clock (jump interval NOT NULL);
		INSERT INTO fake.clock VALUES ('0');
		CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
			'SELECT pg_catalog.clock_timestamp() + jump FROM fake.clock';
		ALTER DATABASE catalyst SET search_path = fake, public, pg_catalog;`)
}

// SetClock has the clock of FakeClock go wrong by that much.
func (p *Postgres) SetClock(ctx context.Context, by time.Duration) error {
	return p.Exec(ctx, "catalyst", fmt.Sprintf("UPDATE fake.clock SET jump = '%d milliseconds'", by.Milliseconds()))
}
