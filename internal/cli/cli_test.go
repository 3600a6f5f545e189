package cli_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"catalyst.dev/catalyst/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"catalyst": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", ContinueOnError: true,
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("ADDRESS", l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "exits": exits, "deliver": deliver},
	})
}

// await waits until the address answers 200.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		response, err := http.Get(args[0])
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not answer: %v", args[0], err)
		}
	}
}

// deliver hands a webhook delivery in as GitHub does, and wants it taken: deliver URL SECRET EVENT FILE.
func deliver(ts *testscript.TestScript, _ bool, args []string) {
	body := ts.ReadFile(args[3])
	request, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(body))
	ts.Check(err)
	sum := hmac.New(sha256.New, []byte(args[1]))
	_, _ = sum.Write([]byte(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", args[2])
	request.Header.Set("X-GitHub-Delivery", "0195")
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("%s answers %s", args[0], response.Status)
	}
}

// exits runs a command that must end with the exit code: exits CODE COMMAND….
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := "0"
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = strconv.Itoa(exit.ExitCode())
	}
	if code != args[0] {
		ts.Fatalf("%s exits with %s (%v), want %s", strings.Join(args[1:], " "), code, err, args[0])
	}
}
