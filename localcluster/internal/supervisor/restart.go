package supervisor

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// restartAPIServer kills the API server as a crash would, and returns when a new one is ready. The rest of the cluster has to live
// with it.
func (s *Supervisor) restartAPIServer(ctx context.Context) error {
	old := s.takeOut(apiServer)
	if old == nil {
		return fmt.Errorf("%s does not run", apiServer)
	}
	s.setState(cluster.Starting)
	old.signal(syscall.SIGKILL)
	for ended := range s.family.ended {
		if ended == old {
			break
		}
		s.report(ended)
	}
	if err := s.start(s.set.APIServer()); err != nil {
		return err
	}
	ready := func(ctx context.Context) error { return s.api.Get(ctx, "/readyz", nil) }
	if err := s.await(ctx, "API server", ready); err != nil {
		return err
	}
	s.setState(cluster.Running)
	return nil
}

const apiServer = "kube-apiserver"

// takeOut removes a component that lives from those that have to.
func (s *Supervisor) takeOut(name string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.components, func(r *running) bool { return r.name == name && r.alive() })
	if i < 0 {
		return nil
	}
	r := s.components[i]
	s.components = slices.Delete(s.components, i, i+1)
	return r
}
