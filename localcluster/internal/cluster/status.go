package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"catalyst.dev/catalyst/localcluster/internal/process"
)

// Cluster states.
const (
	Stopped  = "stopped"
	Starting = "starting"
	Running  = "running"
	Degraded = "degraded" // something that should run does not
)

// Component is one process of a cluster.
type Component struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"` // as the machine sees it; 0 when it does not run
	Alive bool   `json:"alive"`
	Exit  string `json:"exit,omitempty"` // how it ended, when it did

	// Inner is the process as the supervisor sees it, which in a process namespace is not how the machine does.
	Inner process.ID `json:"inner"`
}

// Status is what the supervisor last wrote about the cluster, in status.json.
type Status struct {
	State      string      `json:"state"`
	Components []Component `json:"components"`
}

// ReadStatus gives the truth about the cluster now: the supervisor's last word, checked against the processes that live.
func (c *Cluster) ReadStatus() (Status, error) {
	s := Status{State: Stopped}
	b, err := os.ReadFile(c.Path("status.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the status of cluster %s: %w", c.Name, err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", c.Path("status.json"), err)
	}
	if !c.Supervisor.Alive() {
		s.State = Stopped
		for i := range s.Components {
			s.Components[i].Alive = !c.Namespaced && s.Components[i].Inner.Alive()
			s.Components[i].PID = 0
		}
		return s, nil
	}
	seen := map[int]int{}
	if c.Namespaced {
		seen = process.Inside(c.Supervisor.PID)
	}
	for i := range s.Components {
		p := &s.Components[i]
		if !p.Alive {
			continue
		}
		p.PID = p.Inner.PID
		if c.Namespaced {
			p.PID = seen[p.Inner.PID]
		}
		p.Alive = p.PID != 0
		if !p.Alive {
			s.State = Degraded
		}
	}
	return s, nil
}
