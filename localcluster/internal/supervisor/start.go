package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/image"
)

// bringUp starts everything and returns once the cluster is ready for use. What does not need each other comes up at the same
// time: the API server is by far the slowest.
func (s *Supervisor) bringUp(ctx context.Context) error {
	node := s.cluster.Node == cluster.Real
	if err := s.start(s.set.Etcd(), nil); err != nil {
		return err
	}
	if s.set.Programs.Find("docker-registry") != "" {
		if err := s.start(s.set.Registry()); err != nil {
			return err
		}
	}
	if node {
		if err := s.start(s.set.Containerd()); err != nil {
			return err
		}
	}
	if err := s.await(ctx, "etcd", answers(s.cluster.Addresses().Etcd()+"/health")); err != nil {
		return err
	}
	if err := s.start(s.set.APIServer()); err != nil {
		return err
	}
	if node {
		if err := s.prepareNode(ctx); err != nil {
			return err
		}
	}
	ready := func(ctx context.Context) error { return s.api.Get(ctx, "/readyz", nil) }
	if err := s.await(ctx, "API server", ready); err != nil {
		return err
	}
	if err := s.startRest(node); err != nil {
		return err
	}
	if err := s.applyObjects(ctx); err != nil {
		return err
	}
	return s.awaitRest(ctx, node)
}

// prepareNode waits for what the kubelet needs and fills the registry.
func (s *Supervisor) prepareNode(ctx context.Context) error {
	host := s.cluster.Addresses().Registry()
	if err := s.await(ctx, "registry", answers("http://"+host+"/v2/")); err != nil {
		return err
	}
	for _, binary := range []string{s.cluster.Binaries.Pause, s.cluster.Binaries.CoreDNS} {
		name := s.set.ImageName(binary)
		if image.Exists(ctx, host, name) {
			continue
		}
		packed, err := image.Pack(binary)
		if err != nil {
			return err
		}
		if _, err := packed.Push(ctx, host, name); err != nil {
			return err
		}
	}
	return s.await(ctx, "containerd", func(context.Context) error {
		conn, err := net.Dial("unix", s.set.ContainerdSocket())
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (s *Supervisor) startRest(node bool) error {
	if err := s.start(s.set.ControllerManager(), nil); err != nil {
		return err
	}
	if err := s.start(s.set.Scheduler(), nil); err != nil {
		return err
	}
	if node {
		if err := s.start(s.set.Kubelet()); err != nil {
			return err
		}
		if err := s.start(s.set.Proxy()); err != nil {
			return err
		}
		if err := s.start(s.set.Netpol(), nil); err != nil {
			return err
		}
		if err := s.start(s.set.Metrics(), nil); err != nil {
			return err
		}
	}
	if s.cluster.SimulatedNodes > 0 {
		if err := s.start(s.set.Kwok(), nil); err != nil {
			return err
		}
	}
	return s.start(s.set.Router(s.files.Listener), nil)
}

func (s *Supervisor) awaitRest(ctx context.Context, node bool) error {
	if node {
		if err := s.await(ctx, "node", s.nodeReady(nodeName, s.began)); err != nil {
			return err
		}
		policies := func(context.Context) error { _, err := os.Stat(s.set.PolicyReady()); return err }
		if err := s.await(ctx, "network policies", policies); err != nil {
			return err
		}
	}
	for i := range s.cluster.SimulatedNodes {
		// kwok reports a known node's health by its lease alone, for minutes, so any time will do.
		if err := s.await(ctx, "simulated node "+fakeName(i), s.nodeReady(fakeName(i), "")); err != nil {
			return err
		}
	}
	account := func(ctx context.Context) error {
		return s.api.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	}
	if err := s.await(ctx, "service accounts", account); err != nil {
		return err
	}
	if !node {
		return nil
	}
	if err := s.await(ctx, "DNS", s.dnsReady); err != nil {
		return err
	}
	// An API that is announced and does not answer would keep namespaces from going.
	return s.await(ctx, "metrics", func(ctx context.Context) error { return s.api.Get(ctx, "/apis/metrics.k8s.io/v1beta1/nodes", nil) })
}

// answers checks that url answers well.
func answers(url string) func(context.Context) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, res.Status)
		}
		return nil
	}
}
