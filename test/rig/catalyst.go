package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"
)

// Catalyst is a running `catalyst serve`.
type Catalyst struct {
	URL string // of its HTTP surface
	Dir string // holds catalyst.yaml, catalyst.db and catalyst.log

	cmd    *exec.Cmd
	exited chan error
}

// FreeAddress returns a loopback address that nobody listens on now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// Config returns the configuration of a Catalyst that serves the rig's repository on the cluster, to be changed as needed.
func Config(listen string, g *GitHub, c *Cluster) map[string]any {
	return map[string]any{
		"listen":   listen,
		"database": "catalyst.db",
		"log":      map[string]any{"level": "debug"},
		"github": map[string]any{
			"api_url": g.APIURL(), "app_id": g.App.ID(), "private_key": string(g.App.KeyPEM()), "webhook_secret": WebhookSecret,
		},
		"cluster": map[string]any{"kubeconfig": c.Kubeconfig},
		"preview": map[string]any{"domain": c.PreviewDomain, "scheme": "http", "url_port": c.RouterPort, "ingress_class": "local"},
		"repositories": []any{map[string]any{
			"name": "acme/hello", "values": "values-preview.yaml", "image": map[string]any{"repository": c.Registry + "/hello"},
		}},
	}
}

// StartCatalyst is Run with an administrator's kubeconfig in the configuration: the manifests are applied with it, and Catalyst gets the one of the
// identity that they make.
func StartCatalyst(ctx context.Context, binary, dir string, config map[string]any, args ...string) (*Catalyst, error) {
	least, err := leastRights(ctx, dir, config)
	if err != nil {
		return nil, err
	}
	return Run(ctx, binary, dir, least, args...)
}

// Run runs the binary with the configuration in dir, and with the arguments after its own, and returns once it accepts deliveries. Its log
// goes to catalyst.log in dir.
func Run(ctx context.Context, binary, dir string, config map[string]any, args ...string) (*Catalyst, error) {
	text, err := yaml.Marshal(config)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "catalyst.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "catalyst.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	c := &Catalyst{URL: "http://" + config["listen"].(string), Dir: dir, exited: make(chan error, 1)}
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), binary, append([]string{"serve", "--config", "catalyst.yaml", "--migrate"}, args...)...)
	c.cmd.Dir, c.cmd.Stderr = dir, log
	// When this process dies, so does the server: nothing is left behind by a run that was killed.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.exited <- c.cmd.Wait() }()
	err = Until(ctx, time.Minute, "catalyst is ready", func() (bool, error) {
		select {
		case err := <-c.exited:
			c.exited <- err
			return false, fmt.Errorf("catalyst ended: %w\n%s", err, c.Log())
		default:
		}
		response, err := get(ctx, c.URL+"/readyz", "")
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Stop asks the server to stop and waits until it has; it is killed after 30 seconds.
func (c *Catalyst) Stop() error { return c.end(syscall.SIGTERM) }

// Kill ends the server as a power cut would.
func (c *Catalyst) Kill() { _ = c.end(syscall.SIGKILL) }

// Pause stops the server in the middle of what it does, as a host without time for it would.
func (c *Catalyst) Pause() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume has a paused server go on.
func (c *Catalyst) Resume() error { return c.cmd.Process.Signal(syscall.SIGCONT) }

// Exited reports whether the server has ended, by itself or not.
func (c *Catalyst) Exited() bool {
	select {
	case err := <-c.exited:
		c.exited <- err
		return true
	default:
		return false
	}
}

func (c *Catalyst) end(signal syscall.Signal) error {
	_ = c.cmd.Process.Signal(signal)
	select {
	case err := <-c.exited:
		c.exited <- err
		return err
	case <-time.After(30 * time.Second):
		_ = c.cmd.Process.Kill()
		return fmt.Errorf("catalyst did not stop within 30 s\n%s", c.Log())
	}
}

// LogFile is the path of the server's log.
func (c *Catalyst) LogFile() string { return filepath.Join(c.Dir, "catalyst.log") }

// Log returns the last lines of the server's log.
func (c *Catalyst) Log() string {
	b, err := os.ReadFile(c.LogFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// LoginLink is the link to the server's pages that stands in its log, and works once; empty when there is none.
func (c *Catalyst) LoginLink() string {
	log, err := os.ReadFile(c.LogFile())
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(log), ` link="`)
	link, _, _ := strings.Cut(rest, `"`)
	return link
}

// Page fetches a page of the preview as a browser on this machine would and returns its status and text. *.localhost is
// loopback for browsers and curl, but not for every resolver, so the name goes into the request and the address into the dialer.
func Page(ctx context.Context, pageURL string) (int, string, error) {
	response, err := get(ctx, pageURL, "127.0.0.1")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(b), err
}

func get(ctx context.Context, pageURL, host string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, pageURL, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if host != "" {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port))
		}
	}
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	return client.Do(request)
}

// Until asks every 50 ms until done says yes, and gives up with what was waited for when the limit is over.
func Until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s in vain until %s", limit, what)
		case <-ticker.C:
		}
	}
}

// JSON renders v on one line, for the last line of a benchmark.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
