package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLife follows one cluster from its first start through use, stop, start, and a crash.
func TestLife(t *testing.T) {
	u := newUser(t)
	own := filepath.Join(u.home, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := settings(t)

	within(t, 20*time.Second, "the first start", func() { u.run("start", "--name", "life", "--audit") })
	s := u.status("life")
	if s.State != "running" || s.Node != "real" {
		t.Fatalf("status: %+v", s)
	}
	for _, c := range s.Components {
		if err := syscall.Kill(c.PID, 0); err != nil || !c.Alive {
			t.Errorf("component %s, process %d: alive %v, %v", c.Name, c.PID, c.Alive, err)
		}
	}
	image := strings.TrimSpace(u.run("image", "--name", "life", "app:1", built.app))
	u.apply("life", workload("web", image, "I am web")+workload("friend", image, "I am friend")+workload("stranger", image, "I am stranger"))
	for _, name := range []string{"web", "friend", "stranger"} {
		s.eventually(t, name+".preview.localhost", "/", http.StatusOK, "I am "+name)
	}

	t.Run("router", func(t *testing.T) { router(t, u, s) })
	t.Run("DNS", func(t *testing.T) {
		s.eventually(t, "web.preview.localhost", "/lookup?name=kubernetes.default.svc.cluster.local", http.StatusOK, "10.")
		s.eventually(t, "web.preview.localhost", "/lookup?name=friend", http.StatusOK, "10.")
		s.eventually(t, "web.preview.localhost", "/lookup?name=nobody.default", http.StatusBadGateway, "no such host")
	})
	t.Run("machine", func(t *testing.T) { machine(t, s) })
	t.Run("policy", func(t *testing.T) { policies(t, u, s) })
	t.Run("kubectl", func(t *testing.T) {
		if out := u.run("kubectl", "--name", "life", "exec", "deploy/web", "--", "/app", "hostname"); !strings.HasPrefix(out, "web-") {
			t.Errorf("exec in a pod says %q", out)
		}
		version := u.run("kubectl", "--name", "life", "get", "--raw", "/version")
		if !strings.Contains(version, `"gitVersion": "v1.`) {
			t.Errorf("the API server's version: %s", version)
		}
		if _, _, err := u.try("kubectl", "--name", "life", "get", "nothing"); err == nil {
			t.Error("a failing kubectl is no failure")
		}
	})
	t.Run("metrics", func(t *testing.T) {
		const path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
		for deadline := time.Now().Add(2 * time.Minute); ; {
			out := u.run("kubectl", "--name", "life", "get", "--raw", path) // the kubelet counts a pod some seconds after its start
			if strings.Contains(out, `"name":"web-`) && strings.Contains(out, `"memory"`) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("what pods use: %s", out)
			}
		}
		if _, complaint, err := u.try("kubectl", "--name", "life", "get", "--raw", path, "--as=nobody"); err == nil || !strings.Contains(complaint, "Forbidden") {
			t.Errorf("who may not read metrics is told %q, %v", complaint, err)
		}
	})
	t.Run("audit", func(t *testing.T) {
		b, err := os.ReadFile(u.state("life", "log", "audit.log"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), `"name":"stranger"`) {
			t.Error("the audit log does not know of a Deployment that was made")
		}
	})

	inside, link := family(t, s.SupervisorPID), linkTo(t, s.HostIP)
	within(t, 10*time.Second, "the stop", func() { u.run("stop", "--name", "life") })
	if got := u.status("life").State; got != "stopped" {
		t.Errorf("state after the stop: %s", got)
	}
	nothingLeft(t, u, "life", inside, link)

	within(t, 20*time.Second, "the second start", func() { u.run("start", "--name", "life") })
	s = u.status("life")
	s.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am web")

	old := s.component(t, "kube-apiserver")
	u.run("restart", "--name", "life")
	if s = u.status("life"); s.State != "running" || s.component(t, "kube-apiserver") == old {
		t.Errorf("after the restart of the API server: %+v", s)
	}
	s.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am web")
	u.run("kubectl", "--name", "life", "get", "nodes")

	// A crash: the supervisor is killed, and all the rest with it.
	inside = family(t, s.SupervisorPID)
	if err := syscall.Kill(s.SupervisorPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the state stopped", func() bool { return u.status("life").State == "stopped" })
	within(t, 20*time.Second, "the start after a crash", func() { u.run("start", "--name", "life") })
	s = u.status("life")
	s.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am web")

	// A component that dies is reported.
	if err := syscall.Kill(s.component(t, "kube-scheduler"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the state degraded", func() bool { return u.status("life").State == "degraded" })

	u.run("reset", "--name", "life")
	nothingLeft(t, u, "life", inside, link)
	if _, err := os.Stat(u.state("life")); err == nil {
		t.Error("reset leaves the state directory")
	}
	same(t, "the machine's settings", before, settings(t))
	if b, err := os.ReadFile(own); err != nil || string(b) != "mine" {
		t.Errorf("the user's kubeconfig: %q, %v", b, err)
	}
}

func router(t *testing.T, u *user, s status) {
	s.eventually(t, "web.preview.localhost", "/some/path", http.StatusOK, "host=web.preview.localhost path=/some/path forwarded=127.0.0.1")
	code, body, err := s.get(context.Background(), "unknown.preview.localhost", "/")
	if err != nil || code != http.StatusNotFound || strings.Contains(body, "web") {
		t.Errorf("an unknown host: %d %q %v", code, body, err)
	}
	out := u.run("kubectl", "--name", "life", "get", "ingress", "web", "-o", "jsonpath={.spec.ingressClassName} {.status.loadBalancer.ingress[0].ip}")
	same(t, "the Ingress's class and address", "local 127.0.0.1", out)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.RouterURL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "web.preview.localhost"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "data: first\n" {
		t.Errorf("the first event of a stream that goes on: %q, %v", line, err)
	}

	upgrade(t, s)

	u.run("kubectl", "--name", "life", "scale", "deploy/stranger", "--replicas=0")
	s.eventually(t, "stranger.preview.localhost", "/", http.StatusServiceUnavailable, "Service default/stranger has no ready endpoints")
	u.run("kubectl", "--name", "life", "scale", "deploy/stranger", "--replicas=1")
	s.eventually(t, "stranger.preview.localhost", "/", http.StatusOK, "I am stranger")
}

// upgrade talks to a pod over a connection that is no longer HTTP.
func upgrade(t *testing.T, s status) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.RouterURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "GET /echo HTTP/1.1\r\nHost: web.preview.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the answer to an upgrade", http.StatusSwitchingProtocols, res.StatusCode)
	fmt.Fprintln(conn, "anybody there?")
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the echo", "anybody there?\n", line)
}

// machine has a pod reach a server on the machine.
func machine(t *testing.T, s status) {
	l, err := net.Listen("tcp", net.JoinHostPort(s.HostIP, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "I am the machine") }))
	s.eventually(t, "web.preview.localhost", "/get?url=http://"+l.Addr().String(), http.StatusOK, "I am the machine")
}

func policies(t *testing.T, u *user, s status) {
	const friend, stranger = "friend.preview.localhost", "stranger.preview.localhost"
	s.eventually(t, stranger, through("web"), http.StatusOK, "I am web")
	s.eventually(t, friend, through("stranger"), http.StatusOK, "I am stranger")

	u.apply("life", policy)
	s.eventually(t, stranger, through("web"), http.StatusBadGateway, "Timeout")
	s.eventually(t, friend, through("stranger"), http.StatusBadGateway, "Timeout")
	s.eventually(t, friend, through("web"), http.StatusOK, "I am web")
	s.eventually(t, "web.preview.localhost", through("stranger"), http.StatusOK, "I am stranger") // not restricted in what it reaches
	s.eventually(t, "web.preview.localhost", through("web"), http.StatusOK, "I am web")           // itself, by way of its Service
	s.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am web")                      // from the node

	u.run("kubectl", "--name", "life", "delete", "networkpolicy", "web", "friend")
	s.eventually(t, stranger, through("web"), http.StatusOK, "I am web")
}

// TestSideBySide runs two clusters at once that have everything in common but their names.
func TestSideBySide(t *testing.T) {
	u := newUser(t)
	names := []string{"left", "right"}
	started := make(chan error, len(names))
	for _, name := range names {
		go func() {
			out, complaint, err := u.try("start", "--name", name)
			if err != nil {
				t.Errorf("start %s: %v\n%s%s", name, err, out, complaint)
			}
			started <- err
		}()
	}
	for range names {
		if err := <-started; err != nil {
			t.FailNow()
		}
	}
	for _, name := range names {
		image := strings.TrimSpace(u.run("image", "--name", name, "app:1", built.app))
		u.apply(name, workload("web", image, "I am "+name))
	}
	left, right := u.status("left"), u.status("right")
	left.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am left")
	right.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am right")
	u.run("stop", "--name", "left")
	right.eventually(t, "web.preview.localhost", "/", http.StatusOK, "I am right")
	right.eventually(t, "web.preview.localhost", through("web"), http.StatusOK, "I am right")
	if got := u.status("right").State; got != "running" {
		t.Errorf("state of the other cluster: %s", got)
	}
}

// TestSimulated runs a cluster without containers, as root and as somebody who is not.
func TestSimulated(t *testing.T) {
	for name, id := range map[string]uint32{"root": 0, "nobody": 65534} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.become(id)
			_, told, err := u.try("start", "--name", "sim", "--node", "simulated", "--simulated-nodes", "2")
			if err != nil {
				t.Fatalf("start: %v\n%s", err, told)
			}
			if !strings.Contains(told, "no container does") {
				t.Errorf("start does not say what simulated nodes cannot do: %s", told)
			}
			s := u.status("sim")
			u.apply("sim", workload("web", "app:1", "nothing"))
			u.run("kubectl", "--name", "sim", "rollout", "status", "deploy/web", "--timeout=20s")
			if err := syscall.Kill(s.SupervisorPID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			await(t, "the state stopped", func() bool { return u.status("sim").State == "stopped" })
			u.run("start", "--name", "sim", "--node", "simulated", "--simulated-nodes", "1")
			same(t, "the nodes", "node/fake0\n", u.run("kubectl", "--name", "sim", "get", "nodes", "-o", "name"))
			u.run("kubectl", "--name", "sim", "rollout", "status", "deploy/web", "--timeout=20s")
			s = u.status("sim")
			u.run("stop", "--name", "sim")
			for _, c := range s.Components {
				if err := syscall.Kill(c.PID, 0); err == nil && !ended(c.PID) {
					t.Errorf("%s, process %d, outlives the stop", c.Name, c.PID)
				}
			}
		})
	}
}
