package diagnose

import (
	"fmt"
	"time"
)

// Observed is what is known of a release, or of one hook of it, at one moment. What is not known is left at its zero value.
type Observed struct {
	Now   time.Time     `json:"now"`
	Began time.Time     `json:"began"`          // of the wait; events about older things than that are not believed
	Limit time.Duration `json:"limit"`          // of the wait
	Over  bool          `json:"over,omitempty"` // the limit is reached: nothing is waited for any more
	Once  bool          `json:"once,omitempty"` // one look at what was ready before: for how long a container runs is not known

	Hook    *Hook    `json:"hook,omitempty"` // set when what is waited for is one hook
	Objects []Object `json:"objects,omitempty"`
	Pods    []Pod    `json:"pods,omitempty"`
	Events  []Event  `json:"events,omitempty"`
	Logs    []Log    `json:"logs,omitempty"`
	Nodes   Nodes    `json:"nodes,omitzero"`
	Found   []Sought `json:"found,omitempty"` // what a verdict sought and is there by now

	Refused *Refusal `json:"refused,omitempty"` // the API server's answer to an object of the release
	Render  string   `json:"render,omitempty"`  // what the chart's templates did not render for
	CI      *CI      `json:"ci,omitempty"`
	Answer  *Answer  `json:"answer,omitempty"`
}

// Ref names an object in the preview's namespace.
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// String gives the object for people: `Deployment "web"`.
func (r Ref) String() string { return fmt.Sprintf("%s %q", r.Kind, r.Name) }

// Hook is a Helm hook that is waited for.
type Hook struct {
	Ref
	Event string `json:"event"` // pre-install, post-upgrade …
}

// Object is one object of the release.
type Object struct {
	Ref
	UID        string      `json:"uid,omitempty"`
	Absent     bool        `json:"absent,omitempty"` // it does not exist (yet)
	Ready      bool        `json:"ready,omitempty"`
	Failed     bool        `json:"failed,omitempty"` // it says of itself that it has failed
	Status     string      `json:"status,omitempty"` // what it says of itself while it is not ready
	Conditions []Condition `json:"conditions,omitempty"`
	Custom     bool        `json:"custom,omitempty"` // its kind is not one of Kubernetes' own: an operator acts on it

	Labels   map[string]string `json:"labels,omitempty"`   // of the pods it makes
	Wanted   int               `json:"wanted,omitempty"`   // how many pods it is to have
	Failures int               `json:"failures,omitempty"` // of a Job: how many of its pods have failed
	Makes    []string          `json:"makes,omitempty"`    // of a custom object: the Secrets that its operator will make

	Service *Service `json:"service,omitempty"`
	Backs   []Port   `json:"backs,omitempty"` // of an Ingress: the Services it sends to
	Claim   *Claim   `json:"claim,omitempty"`
}

// Condition is a condition in an object's status.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Service says where a Service leads.
type Service struct {
	Selector map[string]string `json:"selector,omitempty"`
	IPs      []string          `json:"ips,omitempty"` // under which the cluster knows it
	Ports    []ServicePort     `json:"ports,omitempty"`
}

// ServicePort is one port of a Service.
type ServicePort struct {
	Name   string `json:"name,omitempty"`
	Port   int    `json:"port"`
	Target Port   `json:"target"`
}

// Port is a port by number or by name, of Object where it is not clear whose.
type Port struct {
	Object string `json:"object,omitempty"`
	Number int    `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
}

func (p Port) String() string {
	if p.Name != "" {
		return fmt.Sprintf("%q", p.Name)
	}
	return fmt.Sprint(p.Number)
}

// Claim says what a PersistentVolumeClaim asks for.
type Claim struct {
	Class string `json:"class,omitempty"` // storage class; "" when none is named
	Size  string `json:"size,omitempty"`
	Phase string `json:"phase,omitempty"`
}

// Nodes says what the cluster's nodes could take; Known only when they could be read.
type Nodes struct {
	Known  bool    `json:"known,omitempty"`
	Scaled bool    `json:"scaled,omitempty"` // something seems to add nodes when they are needed
	CPU    float64 `json:"cpu,omitempty"`    // cores, of the largest node
	Memory float64 `json:"memory,omitempty"` // bytes, of the largest node
}

// Event is a Kubernetes event about an object of the namespace.
type Event struct {
	Ref
	UID       string    `json:"uid,omitempty"`       // of the object
	Container string    `json:"container,omitempty"` // which of the pod's it is about
	Warning   bool      `json:"warning,omitempty"`
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// LogRef names a container's log: of its present run, or, with Previous, of the one before.
type LogRef struct {
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Previous  bool   `json:"previous,omitempty"`
	Restarts  int    `json:"restarts,omitempty"` // of the container: tells its runs apart
}

// Sought is a Secret or ConfigMap that a pod refers to, or a key in one, and that its node says is not there.
type Sought struct {
	Ref
	Key string `json:"key,omitempty"`
}

// Log is the end of a container's log as it was at one moment.
type Log struct {
	LogRef
	Lines  []string  `json:"lines,omitempty"`
	Last   time.Time `json:"last,omitzero"`  // of the last line
	Early  bool      `json:"-"`              // read before all of it was sure to be written; the view's own
	ReadAt time.Time `json:"readAt"`         // when it was read
	None   bool      `json:"none,omitempty"` // it could not be read
}

// Refusal is how the API server refused an object, or the operation as a whole.
type Refusal struct {
	Ref
	Code    int      `json:"code"` // HTTP status
	Message string   `json:"message"`
	Fields  []string `json:"fields,omitempty"` // "spec.replicas: must be a number"
}

// CI is how the repository's own build of the commit ended.
type CI struct {
	Name       string `json:"name"`
	Conclusion string `json:"conclusion"` // as GitHub says it: success, failure, timed_out …
}

// Answer is what the preview's URL answers when everything is ready.
type Answer struct {
	URL    string `json:"url"`
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
}
