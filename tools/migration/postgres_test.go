package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is a PostgreSQL server of one test, reached over a socket in a directory of its own.
type server struct {
	bin, dir   string
	credential *syscall.Credential
	databases  *atomic.Int64
}

// startPostgres starts a server that ends with the test.
func startPostgres(t *testing.T) server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		const missing = "PostgreSQL is not installed: apt-get install postgresql"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	// A socket's path has at most 107 bytes, which a test's own directory can exceed.
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := server{bin: filepath.Dir(found[len(found)-1]), dir: dir, databases: new(atomic.Int64)}
	if os.Getuid() == 0 { // the server refuses to run as root
		s.credential = nobody(t)
		if err := os.Chown(dir, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, "initdb", "-D", dir+"/data", "-U", "catalyst", "-A", "trust", "--no-sync")
	process := s.command("postgres", "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for s.command("pg_isready", "-q", "-h", dir).Run() != nil {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL is not ready after 30 s")
		}
	}
	return s
}

// forthAndBack runs every migration of dir on an empty database, and then every Down from the last to the first.
func (s server) forthAndBack(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var forth, back string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		up, down, _ := strings.Cut(string(text), "-- +goose Down")
		forth, back = forth+up, down+back
	}
	script := filepath.Join(s.dir, fmt.Sprintf("%d.sql", s.databases.Add(1)))
	if err := os.WriteFile(script, []byte(forth+back), 0o644); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(filepath.Base(script), ".sql")
	s.run(t, "createdb", "-h", s.dir, "-U", "catalyst", name)
	s.run(t, "psql", "-h", s.dir, "-U", "catalyst", "-v", "ON_ERROR_STOP=1", "-q", "-d", name, "-f", script)
	left := s.run(t, "psql", "-h", s.dir, "-U", "catalyst", "-At", "-d", name, "-c", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	if left = strings.TrimSpace(left); left != "" {
		t.Errorf("tables left on PostgreSQL after the last Down: %s", left)
	}
}

func (s server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir // the caller's own directory may be closed to the server's user
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return c
}

func (s server) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// nobody is the user without rights that every Debian and most other systems have.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
