// Package e2e starts real clusters the way people do and looks at what they got. It needs what the local cluster needs: Linux,
// root, and what setup builds and downloads. Without them its tests are skipped, in continuous integration they fail.
//
// The tests run one after the other, and without t.Parallel: they share the machine's processors and measure time.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built are the programs under test, made once.
var built struct{ localcluster, app, cache string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "catalyst-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Chmod(dir, 0o755) // a test acts as another user
	code := 1
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, "prepare the tests:", err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) (err error) {
	built.localcluster, built.app = filepath.Join(dir, "localcluster"), filepath.Join(dir, "app")
	if built.cache, err = os.UserCacheDir(); err != nil {
		return err
	}
	for out, pkg := range map[string]string{built.localcluster: "..", built.app: "./app"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	cmd := exec.Command(built.localcluster, "setup", "--simulated-nodes=1")
	cmd.Stderr = os.Stderr // it may take long
	return cmd.Run()
}

// user is somebody with a home of their own who uses local clusters.
type user struct {
	t    *testing.T
	home string
	id   uint32
}

// newUser gives a user with an empty home. What the user starts is reset at the end; after a failure the logs are kept.
func newUser(t *testing.T) *user {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	home, err := os.MkdirTemp("", "catalyst-home-")
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, home: home}
	t.Cleanup(func() {
		states, _ := filepath.Glob(u.state("[a-z]*"))
		for _, dir := range states {
			if t.Failed() {
				t.Log("the state is kept in", dir)
				u.try("stop", "--name", filepath.Base(dir))
			} else {
				u.run("reset", "--name", filepath.Base(dir))
			}
		}
		if !t.Failed() {
			os.RemoveAll(home)
		}
	})
	return u
}

func (u *user) state(elem ...string) string {
	return filepath.Join(append([]string{u.home, "state", "catalyst", "clusters"}, elem...)...)
}

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(built.localcluster, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "XDG_STATE_HOME=" + filepath.Join(u.home, "state"), "XDG_CACHE_HOME=" + built.cache}
	if u.id != 0 {
		cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+filepath.Join(u.home, "cache"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.id, Gid: u.id}}
	}
	return cmd
}

// try runs the command and gives what it printed.
func (u *user) try(args ...string) (stdout, stderr string, err error) {
	cmd := u.command(args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = cmd.Run()
	return out.String(), complaint.String(), err
}

// run runs the command, which must succeed.
func (u *user) run(args ...string) (stdout string) {
	u.t.Helper()
	out, complaint, err := u.try(args...)
	if err != nil {
		u.t.Fatalf("localcluster %s: %v\n%s", strings.Join(args, " "), err, complaint)
	}
	return out
}

type status struct {
	State         string
	Node          string
	Kubeconfig    string
	APIServer     string `json:"api_server"`
	Registry      string
	RouterURL     string `json:"router_url"`
	Kubectl       string
	HostIP        string `json:"host_ip"`
	SupervisorPID int    `json:"supervisor_pid"`
	Components    []struct {
		Name  string
		PID   int
		Alive bool
	}
}

// component is the process of a component.
func (s status) component(t *testing.T, name string) int {
	t.Helper()
	for _, c := range s.Components {
		if c.Name == name && c.Alive {
			return c.PID
		}
	}
	t.Fatalf("no %s lives: %+v", name, s.Components)
	return 0
}

func (u *user) status(name string) status {
	u.t.Helper()
	var s status
	if err := json.Unmarshal([]byte(u.run("status", "--name", name, "-o", "json")), &s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// apply hands manifests to kubectl.
func (u *user) apply(name, manifests string) {
	u.t.Helper()
	cmd := u.command("kubectl", "--name", name, "apply", "--server-side", "-f", "-")
	cmd.Stdin = strings.NewReader(manifests)
	if out, err := cmd.CombinedOutput(); err != nil {
		u.t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

// get asks the Host router of a cluster for a page.
func (s status) get(ctx context.Context, host, path string) (code int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.RouterURL+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// eventually waits until the page has the code and holds the text.
func (s status) eventually(t *testing.T, host, path string, code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		gotCode, body, err := s.get(ctx, host, path)
		if err == nil && gotCode == code && strings.Contains(body, text) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s%s: got %d %q %v, want %d with %q", host, path, gotCode, body, err, code, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
