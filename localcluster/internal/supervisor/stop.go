package supervisor

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// shutdown ends everything in the reverse of what needs what: first those who would start things again, then the pods, then
// what pods run on, the store last. Whoever does not end in time is killed.
func (s *Supervisor) shutdown() {
	s.end(3*time.Second, "kubelet", "kube-controller-manager", "kube-scheduler", "kwok", "router", "netpol")
	if s.cluster.Namespaced {
		s.endPods(3 * time.Second)
	}
	s.end(2*time.Second, "kube-proxy", "containerd", "registry", "kube-apiserver")
	s.end(5*time.Second, "etcd")
	s.setState(cluster.Stopped)
}

// end asks the named components to end and kills those that have not after the time given.
func (s *Supervisor) end(wait time.Duration, names ...string) {
	var ending []*running
	for _, r := range s.components {
		for _, n := range names {
			if r.name == n && r.alive() {
				r.signal(syscall.SIGTERM)
				ending = append(ending, r)
			}
		}
	}
	timeout := time.After(wait)
	for _, r := range ending {
		select {
		case <-r.done:
		case <-timeout:
			timeout = time.After(0)
			slog.Warn("component did not end in time and is killed", "component", r.name)
			r.signal(syscall.SIGKILL)
			<-r.done
		}
	}
}

func (r *running) signal(s syscall.Signal) {
	if err := r.id.Signal(s); err != nil {
		slog.Warn("component takes no signal", "component", r.name, "error", err)
	}
}

// endPods lets the processes of pods end by themselves, as they would when their pod is deleted, only in less time.
func (s *Supervisor) endPods(wait time.Duration) {
	for deadline, first := time.Now().Add(wait), true; time.Now().Before(deadline); first = false {
		pids := s.podProcesses()
		if len(pids) == 0 {
			return
		}
		if first {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended since
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range s.podProcesses() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// podProcesses are those in the cluster's process namespace that are neither components nor the minders of containers.
func (s *Supervisor) podProcesses() []int {
	own := map[int]bool{os.Getpid(): true}
	for _, r := range s.components {
		own[r.id.PID] = true
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || own[pid] {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err == nil && !strings.Contains(string(stat), "(containerd-shim") && !strings.Contains(string(stat), ") Z ") {
			out = append(out, pid)
		}
	}
	return out
}
