package component

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"catalyst.dev/catalyst/localcluster/internal/pki"
	"catalyst.dev/catalyst/localcluster/internal/space"
)

// PauseImage is the reference of the image that holds a pod's namespaces.
func (s Set) PauseImage() string {
	return s.addr.Registry() + "/" + s.ImageName(s.Cluster.Binaries.Pause)
}

// ImageName gives the name and tag under which a program of the cache is kept in the registry; another build gets another tag.
func (s Set) ImageName(binary string) string {
	name := filepath.Base(binary)
	return name + ":" + strings.TrimPrefix(filepath.Base(filepath.Dir(binary)), name+"-")
}

// Registry stores images.
func (s Set) Registry() (Component, error) {
	config, err := s.config("registry.yaml", fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: %q}
`, s.Cluster.Path("registry"), s.addr.Registry()))
	return Component{Name: "registry", Args: []string{s.Programs.Find("docker-registry"), "serve", config}}, err
}

const containerdConfig = `version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = %[3]q
[ttrpc]
  address = %[4]q
[plugins."io.containerd.internal.v1.opt"]
  path = %[5]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[6]q
  # Some machines lack the capability to lower the score; without this every pod fails there.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %[7]q
    conf_dir = %[8]q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %[9]q
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = %[10]q
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %[11]q
`

// Every pod gets a device and a route of its own, so that traffic between pods is routed and thus filtered like any other.
// Addresses are forgotten with the pods' networks, when the cluster stops.
const cniConfig = `{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false,
  "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`

// Containerd runs containers. Images and containers are kept, what belongs to running ones is not.
func (s Set) Containerd() (Component, error) {
	cni := s.Cluster.Path("config", "cni")
	if _, err := s.config("cni/pods.conflist", fmt.Sprintf(cniConfig, filepath.Join(space.RunDir, "addresses"), s.addr.Pods)); err != nil {
		return Component{}, err
	}
	hosts := fmt.Sprintf("server = %[1]q\n[host.%[1]q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+s.addr.Registry())
	if _, err := s.config("certs.d/"+s.addr.Registry()+"/hosts.toml", hosts); err != nil {
		return Component{}, err
	}
	root := s.Cluster.Path("containerd")
	config, err := s.config("containerd.toml", fmt.Sprintf(containerdConfig, root, filepath.Join(space.RunDir, "containerd"),
		s.ContainerdSocket(), s.ContainerdSocket()+".ttrpc", filepath.Join(root, "opt"), s.PauseImage(), s.Programs.CNI(), cni,
		snapshotter(s.Cluster.Dir), s.Programs.Find("runc"), s.Cluster.Path("config", "certs.d")))
	return Component{Name: "containerd", Args: []string{s.Programs.Find("containerd"), "-c", config}}, err
}

// snapshotter picks how layers are stacked: an overlay cannot lie on an overlay, as it would inside a container.
func snapshotter(dir string) string {
	const overlayMagic = 0x794c7630
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil && fs.Type == overlayMagic {
		return "native"
	}
	return "overlayfs"
}

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[2]q}}
authorization: {mode: Webhook}
tlsCertFile: %[3]q
tlsPrivateKeyFile: %[4]q
cgroupDriver: cgroupfs
cgroupRoot: /%[5]s
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://%[6]s
clusterDNS: [%[7]s]
clusterDomain: cluster.local
resolvConf: %[8]q
healthzBindAddress: 127.0.0.1
podLogsDir: %[9]q
volumePluginDir: %[10]q
serializeImagePulls: false
evictionHard: {memory.available: 200Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
enforceNodeAllocatable: [pods]
nodeStatusUpdateFrequency: 5s
shutdownGracePeriod: 0s
syncFrequency: 3s
maxPods: 500
`

// Kubelet runs the node's pods.
func (s Set) Kubelet() (Component, error) {
	resolv, err := s.config("resolv.conf", "")
	if err != nil {
		return Component{}, err
	}
	plugins := s.Cluster.Path("kubelet", "volumeplugins")
	config, err := s.config("kubelet.yaml", fmt.Sprintf(kubeletConfig, s.addr.NodeIP, s.pki("ca.crt"), s.pki("kubelet-serving.crt"),
		s.pki("kubelet-serving.key"), s.Cluster.CgroupRoot(), s.ContainerdSocket(), s.addr.DNSIP, resolv,
		s.Cluster.Path("log", "pods"), plugins))
	if err != nil {
		return Component{}, err
	}
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		return Component{}, fmt.Errorf("prepare the kubelet: %w", err)
	}
	return s.kube("kubelet", "--config="+config, "--kubeconfig="+s.pki("kubelet.kubeconfig"), "--root-dir="+s.Cluster.Path("kubelet"),
		"--cert-dir="+s.Cluster.Path("kubelet", "pki"), "--hostname-override="+NodeName, "--node-ip="+s.addr.NodeIP), nil
}

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: %q}
clusterCIDR: %s
hostnameOverride: %s
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nodePortAddresses: ["%s/32"]
`

// Proxy makes Services reachable.
func (s Set) Proxy() (Component, error) {
	config, err := s.config("proxy.yaml", fmt.Sprintf(proxyConfig, s.pki("proxy.kubeconfig"), s.addr.Pods, NodeName, s.addr.NodeIP))
	return s.kube("kube-proxy", "--config="+config), err
}

// Netpol enforces NetworkPolicy.
func (s Set) Netpol() Component {
	return s.kube("netpol", "--kubeconfig="+s.pki("admin.kubeconfig"), "--ready-file="+s.PolicyReady())
}

// Metrics tells what pods use, behind the API server.
func (s Set) Metrics() Component {
	return s.kube("metrics", "--kubeconfig="+s.pki("admin.kubeconfig"), "--listen="+s.addr.Metrics(), "--node="+NodeName,
		"--cert-file="+s.pki("metrics.crt"), "--key-file="+s.pki("metrics.key"), "--client-ca-file="+s.pki("ca.crt"), "--client-name="+pki.FrontProxy)
}

// Router leads requests from the machine's loopback to pods by the Ingresses of the cluster. It takes over listener, a socket
// that listens outside of the cluster's network.
func (s Set) Router(listener *os.File) Component {
	c := s.kube("router", "--kubeconfig="+s.pki("admin.kubeconfig"), "--listener=3", "--address=127.0.0.1")
	c.Files = []*os.File{listener}
	return c
}
