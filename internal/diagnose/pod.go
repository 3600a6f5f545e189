package diagnose

import "time"

// Pod is a pod of the release's present revision, or a leftover of an older one (Owner is zero then).
type Pod struct {
	Name      string            `json:"name"`
	UID       string            `json:"uid,omitempty"`
	Owner     Ref               `json:"owner,omitzero"` // the object of the release it belongs to
	Labels    map[string]string `json:"labels,omitempty"`
	Phase     string            `json:"phase,omitempty"`
	Reason    string            `json:"reason,omitempty"` // of a pod that failed as a whole: Evicted …
	Message   string            `json:"message,omitempty"`
	Deleting  bool              `json:"deleting,omitempty"`
	Once      bool              `json:"once,omitempty"` // it may end: its restart policy is not Always
	Created   time.Time         `json:"created"`
	Scheduled time.Time         `json:"scheduled,omitzero"` // when it was given to its node
	NoNode    *NoNode           `json:"noNode,omitempty"`   // why it has none
	ReadyAt   time.Time         `json:"readyAt,omitzero"`   // since when it is ready; zero when it is not

	Containers []Container `json:"containers,omitempty"` // the init containers first
	Claims     []string    `json:"claims,omitempty"`     // PersistentVolumeClaims
	Secrets    []string    `json:"secrets,omitempty"`    // that it refers to
	Pulls      []string    `json:"pulls,omitempty"`      // Secrets with credentials for the registry
}

// NoNode is what the scheduler says of a pod it cannot place.
type NoNode struct {
	Message  string    `json:"message"`
	Since    time.Time `json:"since"`
	CPU      float64   `json:"cpu,omitempty"`      // cores that the pod asks for
	Memory   float64   `json:"memory,omitempty"`   // bytes
	Selector string    `json:"selector,omitempty"` // the labels it wants of its node: "disk=ssd"
}

// Container is a container of a pod and how it fares.
type Container struct {
	Name     string    `json:"name"`
	Init     bool      `json:"init,omitempty"`
	Image    string    `json:"image,omitempty"` // as the pod asks for it
	Ready    bool      `json:"ready,omitempty"`
	Restarts int       `json:"restarts,omitempty"`
	Waiting  *Waits    `json:"waiting,omitempty"`
	Running  bool      `json:"running,omitempty"`
	Started  time.Time `json:"started,omitzero"` // of the present run, by the node's clock
	Seen     time.Time `json:"seen,omitzero"`    // when the present run was first seen, by the observer's clock
	Ended    *End      `json:"ended,omitempty"`  // the state is terminated
	Last     *End      `json:"last,omitempty"`   // how the run before ended
	Ports    []Port    `json:"ports,omitempty"`  // declared
	Probes   []Probe   `json:"probes,omitempty"`
	Memory   string    `json:"memory,omitempty"`  // limit
	NonRoot  bool      `json:"nonRoot,omitempty"` // it runs as another user than root
	Sealed   bool      `json:"sealed,omitempty"`  // its root file system is read-only
	Names    []string  `json:"names,omitempty"`   // objects of the release that its environment and arguments name
}

// Waits is why a container does not run yet.
type Waits struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// End is how a run of a container ended.
type End struct {
	Code     int       `json:"code"`
	Reason   string    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Probe is a health check of a container.
type Probe struct {
	Kind    string        `json:"kind"` // Liveness, Readiness or Startup, as events call it
	By      string        `json:"by"`   // http, tcp, grpc or exec
	Port    Port          `json:"port,omitzero"`
	Path    string        `json:"path,omitempty"`
	Allowed time.Duration `json:"allowed,omitempty"` // how long after its start the container may fail it
}

// end is how the container ended last; nil when it never has. The waiting reason alone does not tell: a crashing container can sit
// in state terminated for minutes.
func (c Container) end() *End {
	if c.Ended != nil {
		return c.Ended
	}
	return c.Last
}

// ends is how often the container has ended.
func (c Container) ends() int {
	if c.end() == nil {
		return 0
	}
	if c.Ended != nil || !c.Running && c.Last != nil {
		return c.Restarts + 1
	}
	return c.Restarts
}
