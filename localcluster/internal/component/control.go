package component

import (
	"strconv"
)

// Etcd is the store. It does not wait for the disk on each write: a crash of the machine may lose the last seconds, a stop does not.
func (s Set) Etcd() Component {
	peer := "http://127.0.0.1:" + strconv.Itoa(s.addr.EtcdPeerPort)
	return s.kube("etcd", "--data-dir="+s.Cluster.Path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+s.addr.Etcd(), "--advertise-client-urls="+s.addr.Etcd(),
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--log-level=warn")
}

// APIServer is the API server.
func (s Set) APIServer() (Component, error) {
	c := s.kube("kube-apiserver",
		"--bind-address="+s.addr.NodeIP, port("secure-port", s.addr.APIPort),
		"--etcd-servers="+s.addr.Etcd(), "--service-cluster-ip-range="+s.addr.Services,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file="+s.pki("ca.crt"), "--tls-cert-file="+s.pki("apiserver.crt"), "--tls-private-key-file="+s.pki("apiserver.key"),
		"--kubelet-client-certificate="+s.pki("kubelet-client.crt"), "--kubelet-client-key="+s.pki("kubelet-client.key"),
		"--kubelet-certificate-authority="+s.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+s.pki("sa.pub"), "--service-account-signing-key-file="+s.pki("sa.key"),
		// Aggregated API servers recognise callers by these.
		"--requestheader-client-ca-file="+s.pki("ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+s.pki("front-proxy-client.crt"), "--proxy-client-key-file="+s.pki("front-proxy-client.key"),
		"--allow-privileged=true", "--profiling=false", "--shutdown-delay-duration=0s")
	if s.Cluster.Namespaced {
		c.Args = append(c.Args, "--advertise-address="+s.addr.NodeIP)
	} else {
		// A loopback address is refused as the endpoint of the Service "kubernetes", and no pod is there to use it.
		c.Args = append(c.Args, "--advertise-address="+s.addr.HostIP, "--endpoint-reconciler-type=none", "--cert-dir="+s.Cluster.Path("pki"))
	}
	if !s.Cluster.Audit {
		return c, nil
	}
	policy, err := s.config("audit.yaml", auditPolicy)
	c.Args = append(c.Args, "--audit-policy-file="+policy, "--audit-log-path="+s.Cluster.Path("log", "audit.log"),
		"--audit-log-maxsize=100", "--audit-log-maxbackup=3")
	return c, err
}

// Secrets are never logged with their content; reads are logged without.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: None, nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]}
- {level: Metadata, resources: [{group: "", resources: [secrets, serviceaccounts/token]}, {group: authentication.k8s.io, resources: [tokenreviews]}]}
- {level: Metadata, verbs: [get, list, watch]}
- {level: RequestResponse}
`

// ControllerManager runs the controllers, with limits that let fifty namespaces appear and disappear at once.
func (s Set) ControllerManager() Component {
	config := s.pki("controller-manager.kubeconfig")
	return s.kube("kube-controller-manager", "--kubeconfig="+config, "--authentication-kubeconfig="+config, "--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1", port("secure-port", s.addr.ControllerPort), "--cert-dir="+s.Cluster.Path("pki"),
		"--service-account-private-key-file="+s.pki("sa.key"), "--root-ca-file="+s.pki("ca.crt"),
		"--cluster-signing-cert-file="+s.pki("ca.crt"), "--cluster-signing-key-file="+s.pki("ca.key"),
		"--use-service-account-credentials", "--allocate-node-cidrs=false",
		"--flex-volume-plugin-dir="+s.Cluster.Path("kubelet", "volumeplugins"), // else it makes one in the system
		"--cluster-cidr="+s.addr.Pods, "--service-cluster-ip-range="+s.addr.Services,
		"--leader-elect=false", "--profiling=false", "--kube-api-qps=500", "--kube-api-burst=1000",
		"--concurrent-namespace-syncs=50", "--concurrent-deployment-syncs=50", "--concurrent-replicaset-syncs=50", "--concurrent-gc-syncs=50")
}

// Scheduler assigns pods to nodes.
func (s Set) Scheduler() Component {
	config := s.pki("scheduler.kubeconfig")
	return s.kube("kube-scheduler", "--kubeconfig="+config, "--authentication-kubeconfig="+config, "--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1", port("secure-port", s.addr.SchedulerPort), "--cert-dir="+s.Cluster.Path("pki"),
		"--leader-elect=false", "--profiling=false", "--kube-api-qps=500", "--kube-api-burst=1000")
}

// Kwok plays the simulated nodes and moves their pods along.
func (s Set) Kwok() Component {
	return Component{Name: "kwok", Args: []string{s.Cluster.Binaries.Kwok, "--kubeconfig=" + s.pki("admin.kubeconfig"),
		"--config=" + s.Cluster.Binaries.Stages, "--manage-all-nodes=false",
		"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
		"--cidr=" + s.addr.FakePods, "--node-ip=" + s.addr.HostIP, "--node-lease-duration-seconds=40",
		"--server-address=127.0.0.1:" + strconv.Itoa(s.addr.KwokPort)}}
}
