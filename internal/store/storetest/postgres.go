package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"catalyst.dev/catalyst/internal/store"
)

// errMissing says that there is no PostgreSQL to start.
var errMissing = errors.New("PostgreSQL is not installed, on Debian: apt-get install postgresql")

// started is the one server of this test process, and the number of databases made in it.
var (
	started   = sync.OnceValues(start)
	databases atomic.Int64
)

// PostgresDSN names a migrated database of its own on a PostgreSQL server that this test process starts when it is first
// asked for, and that ends with the process, however that ends. Without PostgreSQL on the machine the test is skipped, or
// fails when CI=true.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	return database(t, template)
}

// EmptyPostgresDSN is PostgresDSN for a database without a single table.
func EmptyPostgresDSN(t testing.TB) string {
	t.Helper()
	return database(t, "template0")
}

const template = "migrated" // the database that PostgresDSN's are copies of

func database(t testing.TB, from string) string {
	t.Helper()
	s, err := started()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test%d", databases.Add(1))
	if err := s.exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+from); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() { // which runs when all that the test opened is closed
		if err := s.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return s.dsn(name)
}

// server is a PostgreSQL server reached over a socket in a directory of its own, by whoever may enter the directory.
type server struct {
	dir   string
	input io.Closer // held open until this process ends, and with it the server
}

func (s server) dsn(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("catalyst"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String()
}

func (s server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// run is the program that outlives this process for a moment: when its input ends, because the process closed it or died,
// it stops the server and removes all of it. It says "made" when the server's files are.
const run = `bin=$1 dir=$2 server=
trap '' INT TERM HUP
if "$bin/initdb" -D "$dir/data" -U catalyst -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1; then
	"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=300 \
		-c fsync=off -c full_page_writes=off -c synchronous_commit=off >>"$dir/log" 2>&1 </dev/null &
	server=$!
	echo made
fi
exec >&-
cat >/dev/null
if [ -n "$server" ]; then
	kill -QUIT "$server"
	wait "$server"
fi
rm -rf "$dir"
`

func start() (server, error) {
	bin, err := Programs()
	if err != nil {
		return server{}, err
	}
	// A socket's path has at most 107 bytes, which a test's own directory can exceed.
	dir, err := os.MkdirTemp("/tmp", "catalyst-postgres")
	if err != nil {
		return server{}, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	s := server{dir: dir}
	c := exec.CommandContext(context.Background(), "/bin/sh", "-c", run, "sh", bin, dir)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt at the terminal is for the tests alone
	if os.Getuid() == 0 {                              // as whom the server refuses to run
		const nobody = 65534
		c.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return server{}, err
		}
	}
	if s.input, err = c.StdinPipe(); err != nil {
		return server{}, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return server{}, err
	}
	if err := c.Start(); err != nil {
		return server{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return server{}, fmt.Errorf("initdb said %q, then: %w; its log:\n%s", line, err, s.log())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := s.exec(ctx, "CREATE DATABASE "+template)
		if err == nil {
			return s, s.migrate(ctx)
		}
		select {
		case <-ctx.Done():
			return server{}, fmt.Errorf("PostgreSQL does not answer: %w; its log:\n%s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s server) migrate(ctx context.Context) error {
	db, err := store.Open(ctx, s.dsn(template))
	if err != nil {
		return err
	}
	_, err = db.Migrate(ctx)
	return errors.Join(err, db.Close())
}

func (s server) log() string {
	f, err := os.Open(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Programs finds the directory of PostgreSQL's programs, the newest of several.
func Programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}
