package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// standIn has the commands of the real localcluster and keeps its state in a file, so that the order of calls shows.
const standIn = `package main

import (
	"fmt"
	"os"
)

func main() {
	verb := os.Args[1]
	state, _ := os.ReadFile("state")
	if verb == "status" {
		if len(state) == 0 {
			state = []byte("stopped")
		}
		fmt.Printf("{\"state\":%q,\"kubeconfig\":\"/k\",\"registry\":\"h:5000\",\"router_url\":\"http://127.0.0.1:7081\"}", state)
		return
	}
	calls, _ := os.OpenFile("calls", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	fmt.Fprintln(calls, os.Args[1:])
	if verb == "start" {
		if _, err := os.Stat("broken"); err == nil {
			os.Exit(3)
		}
		os.WriteFile("state", []byte("running"), 0o644)
		return
	}
	os.WriteFile("state", []byte("stopped"), 0o644)
}
`

func TestTestbed(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "testbed")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const where = "test /k h:5000 http://127.0.0.1:7081\n"
	for name, test := range map[string]struct {
		running, broken bool
		args            []string
		command         string
		out, calls      string
		exit            int
	}{
		"starts and leaves it":         {command: "true", out: where, calls: "[start --name test]\n"},
		"simulates the nodes":          {args: []string{"-simulated"}, out: where, calls: "[start --name test --node simulated --simulated-nodes 4]\n"},
		"stops what it started":        {args: []string{"-stop"}, out: where, calls: "[start --name test]\n[stop --name test]\n"},
		"stops after a failure":        {args: []string{"-stop"}, command: "exit 7", out: where, calls: "[start --name test]\n[stop --name test]\n", exit: 7},
		"stops after a signal":         {args: []string{"-stop"}, command: "kill -TERM $PPID; while :; do :; done", out: where, calls: "[start --name test]\n[stop --name test]\n", exit: 1},
		"stops after half a start":     {args: []string{"-stop"}, broken: true, calls: "[start --name test]\n[stop --name test]\n", exit: 1},
		"leaves what ran before":       {args: []string{"-stop"}, running: true, out: where, calls: "[start --name test]\n"},
		"is silent when nothing comes": {command: "exit 2", out: where, calls: "[start --name test]\n", exit: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{"go.mod": "module example.test/c\n\ngo 1.26\n", "main.go": standIn} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if test.running {
				_ = os.WriteFile(filepath.Join(dir, "state"), []byte("running"), 0o644)
			}
			if test.broken {
				_ = os.WriteFile(filepath.Join(dir, "broken"), nil, 0o644)
			}
			script := "echo $CATALYST_TEST_CLUSTER $CATALYST_TEST_KUBECONFIG $CATALYST_TEST_REGISTRY $CATALYST_TEST_ROUTER; " + test.command
			c := exec.Command(bin, append(test.args, "-localcluster", dir, "test", "sh", "-c", script)...)
			var errs strings.Builder
			c.Stderr = &errs
			out, _ := c.Output()
			if got := c.ProcessState.ExitCode(); got != test.exit {
				t.Errorf("exit code %d, want %d\n%s", got, test.exit, errs.String())
			}
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if diff := cmp.Diff([]string{test.out, test.calls}, []string{string(out), string(calls)}); diff != "" {
				t.Errorf("output and calls (-want +got):\n%s\n%s", diff, errs.String())
			}
		})
	}
}
