package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// report is what status -o json prints.
type report struct {
	Name           string              `json:"name"`
	State          string              `json:"state"` // running, degraded, starting or stopped
	Node           string              `json:"node,omitempty"`
	SimulatedNodes int                 `json:"simulated_nodes"`
	Kubeconfig     string              `json:"kubeconfig,omitempty"`
	APIServer      string              `json:"api_server,omitempty"`
	Registry       string              `json:"registry,omitempty"`
	RouterURL      string              `json:"router_url,omitempty"`
	RouterPort     int                 `json:"router_port,omitempty"`
	PreviewDomain  string              `json:"preview_domain"`
	HostIP         string              `json:"host_ip,omitempty"` // where pods find this machine
	Kubectl        string              `json:"kubectl,omitempty"`
	StateDir       string              `json:"state_dir"`
	CacheDir       string              `json:"cache_dir,omitempty"`
	SupervisorPID  int                 `json:"supervisor_pid,omitempty"`
	Components     []cluster.Component `json:"components"`
}

// previewDomain resolves to the loopback in browsers and curl, whatever stands before it.
const previewDomain = "preview.localhost"

func runStatus(_ context.Context, o options, c *cluster.Cluster, stdout io.Writer) error {
	return printStatus(c, o.output, stdout)
}

func reportOf(c *cluster.Cluster) (report, error) {
	s, err := c.ReadStatus()
	if err != nil {
		return report{}, err
	}
	r := report{Name: c.Name, State: s.State, PreviewDomain: previewDomain, StateDir: c.Dir, Components: s.Components}
	if r.Components == nil {
		r.Components = []cluster.Component{}
	}
	if !c.Known() {
		return r, nil
	}
	a := c.Addresses()
	r.Node, r.SimulatedNodes = c.Node, c.SimulatedNodes
	r.Kubeconfig, r.APIServer, r.Registry, r.Kubectl = c.Path("kubeconfig"), a.APIServer(), a.Registry(), c.Binaries.Kube
	r.RouterPort, r.RouterURL = c.Port, fmt.Sprintf("http://127.0.0.1:%d", c.Port)
	r.CacheDir = c.Binaries.Cache
	if c.Namespaced {
		r.HostIP = a.HostIP
	}
	if s.State != cluster.Stopped {
		r.SupervisorPID = c.Supervisor.PID
	}
	return r, nil
}

func printStatus(c *cluster.Cluster, format string, w io.Writer) error {
	r, err := reportOf(c)
	if err != nil {
		return err
	}
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(w, "cluster %s is %s\n", r.Name, r.State)
	if !c.Known() {
		return nil
	}
	for _, line := range [][2]string{
		{"node", r.Node},
		{"kubeconfig", r.Kubeconfig},
		{"API server", r.APIServer},
		{"registry", r.Registry},
		{"previews", fmt.Sprintf("http://NAME.%s:%d", r.PreviewDomain, r.RouterPort)},
		{"logs", c.Path("log")},
	} {
		fmt.Fprintf(w, "  %-11s %s\n", line[0], line[1])
	}
	for _, p := range r.Components {
		switch {
		case p.Alive:
			fmt.Fprintf(w, "  %-24s process %d\n", p.Name, p.PID)
		case r.State != cluster.Stopped:
			fmt.Fprintf(w, "  %-24s ended: %s; see %s\n", p.Name, p.Exit, c.Path("log", p.Name+".log"))
		}
	}
	return nil
}

func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	l := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(l[max(0, len(l)-lines):], "\n")
}
