package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/diagnose"
)

// modest is a pod that a preview may have.
const modest = `apiVersion: v1
kind: Pod
metadata: {name: attack}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: attack
    image: '{{ .Values.image }}'
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// withContainer is the container of modest with a change.
func withContainer(change string) string {
	modest := altered("name: attack\nimage: '{{ .Values.image }}'\nsecurityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}", change)
	return "spec: {containers: [" + modest + "]}"
}

func podOf(change string) string {
	return altered(modest, change)
}

// TestPodSecurity: a pod for each control of the Pod Security Standards (K3).
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	if err := f.try(f.c, altered(modest, "metadata: {name: modest}")); err != nil {
		t.Fatalf("a pod that keeps to everything: %v", err)
	}
	attacks := map[string]attack{}
	for name, change := range map[string]string{
		"host network":                "spec: {hostNetwork: true}",
		"host PID":                    "spec: {hostPID: true}",
		"host IPC":                    "spec: {hostIPC: true}",
		"host port":                   withContainer("ports: [{containerPort: 80, hostPort: 80}]"),
		"host path":                   "spec: {volumes: [{name: a, hostPath: {path: /}}]}",
		"host of a probe":             withContainer("livenessProbe: {httpGet: {path: /, port: 80, host: 169.254.169.254}}"),
		"host of a lifecycle handler": withContainer("lifecycle: {postStart: {httpGet: {path: /, port: 80, host: 169.254.169.254}}}"),
		"privileged":                  withContainer("securityContext: {privileged: true, allowPrivilegeEscalation: null}"),
		"capability":                  withContainer("securityContext: {capabilities: {add: [NET_ADMIN], drop: [ALL]}}"),
		"capabilities not dropped":    withContainer("securityContext: {capabilities: null}"),
		"privilege escalation":        withContainer("securityContext: {allowPrivilegeEscalation: true}"),
		"escalation not ruled out":    withContainer("securityContext: {allowPrivilegeEscalation: null}"),
		"unmasked proc":               altered(withContainer("securityContext: {procMount: Unmasked}"), "spec: {hostUsers: false}"),
		"SELinux type":                "spec: {securityContext: {seLinuxOptions: {type: spc_t}}}",
		"SELinux user":                "spec: {securityContext: {seLinuxOptions: {user: system_u}}}",
		"AppArmor off":                "spec: {securityContext: {appArmorProfile: {type: Unconfined}}}",
		"seccomp off":                 "spec: {securityContext: {seccompProfile: {type: Unconfined}}}",
		"seccomp not set":             "spec: {securityContext: {seccompProfile: null}}",
		"sysctl":                      "spec: {securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}}",
		"root":                        "spec: {securityContext: {runAsUser: 0}}",
		"root not ruled out":          "spec: {securityContext: {runAsNonRoot: null}}",
		"root in a container":         withContainer("securityContext: {runAsNonRoot: false}"),
		"NFS volume":                  "spec: {volumes: [{name: a, nfs: {server: a.example.com, path: /}}]}",
		"iSCSI volume":                "spec: {volumes: [{name: a, iscsi: {targetPortal: 10.0.0.1, iqn: 'iqn.2001-04.com.example:a', lun: 0}}]}",
		"init container":              "spec: {initContainers: [{name: a, image: a, securityContext: {privileged: true}}]}",
		"Windows host process":        "spec: {hostNetwork: true, securityContext: {windowsOptions: {hostProcess: true}}}",
	} {
		attacks[name] = attack{podOf(change), `violates PodSecurity "restricted`}
	}
	// What is not a pod itself is told by the workload.
	attacks["in a Deployment"] = attack{inTemplate("apps/v1", "Deployment", "spec: {selector: {matchLabels: {app: a}}}", "spec: {template: POD}", podOf("spec: {hostNetwork: true}")), `violates PodSecurity "restricted`}
	f.repel(attacks)
}

// TestBaseline: a repository may be given the wider level, and no more than that.
func TestBaseline(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.PodSecurity = "baseline" })
	if err := f.try(f.c, podOf("{metadata: {name: root}, spec: {securityContext: null}}")); err != nil {
		t.Errorf("a pod that runs as root: %v", err)
	}
	f.repel(map[string]attack{
		"privileged": {podOf(withContainer("securityContext: {privileged: true, allowPrivilegeEscalation: null}")), `violates PodSecurity "baseline`},
		"host path":  {podOf("spec: {volumes: [{name: a, hostPath: {path: /}}]}"), `violates PodSecurity "baseline`},
	})
}

// TestPodsAreHeld: who schedules them, what they run, what they know (K8, K9, K10).
func TestPodsAreHeld(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.Registries = []string{clustertest.Registry(t), "registry.example.com/acme"} })
	if err := f.try(f.c, altered(modest, "metadata: {name: modest}")); err != nil {
		t.Fatalf("a pod that keeps to everything: %v", err)
	}
	other := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "ct-other"}, Handler: "other"}
	if _, err := f.admin.NodeV1().RuntimeClasses().Create(t.Context(), other, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	attacks := map[string]attack{}
	for name, c := range map[string]struct{ change, says string }{
		"node":                            {"spec: {nodeName: node}", "nodeName"},
		"toleration of the control plane": {"spec: {tolerations: [{key: node-role.kubernetes.io/control-plane, operator: Exists}]}", "control plane"},
		"toleration of everything":        {"spec: {tolerations: [{operator: Exists}]}", "whatever its taints"},
		"toleration of critical ones":     {"spec: {tolerations: [{key: CriticalAddonsOnly, operator: Exists}]}", "control plane"},
		"priority of nodes":               {"spec: {priorityClassName: system-node-critical}", "priority"},
		"priority of the cluster":         {"spec: {priorityClassName: system-cluster-critical}", "priority"},
		"runtime class":                   {"spec: {runtimeClassName: ct-other}", "container runtime"},
		"scheduler":                       {"spec: {schedulerName: mine}", "scheduler"},
		"never removed":                   {"spec: {terminationGracePeriodSeconds: 100000}", "terminationGracePeriodSeconds"},
		"devices":                         {withContainer("resources: {limits: {example.com/gpu: 1}}"), "devices"},
		"claim of a device":               {"spec: {resourceClaims: [{name: a, resourceClaimName: a}]}", "devices"},
		"image of another registry":       {withContainer("image: ghcr.io/evil/miner:latest"), "images come from"},
		"image of Docker's":               {withContainer("image: nginx"), "images come from"},
		"registry as a prefix only":       {withContainer("image: registry.example.com/acme-evil/miner"), "images come from"},
		"registry with another port":      {withContainer("image: registry.example.com/acmeevil"), "images come from"},
		"image of an init container":      {"spec: {initContainers: [{name: a, image: evil, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}", "images come from"},
		"image as a volume":               {"spec: {volumes: [{name: a, image: {reference: evil, pullPolicy: Always}}]}", "images come from"},
		"token asked for":                 {"spec: {automountServiceAccountToken: true}", "token"},
		"token projected":                 {"spec: {volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}", "token"},
		"token for a cloud":               {"spec: {volumes: [{name: a, projected: {sources: [{configMap: {name: a}}, {serviceAccountToken: {path: token, audience: sts.amazonaws.com}}]}}]}", "token"},
		"account of a deployment":         {"spec: {serviceAccountName: catalyst-deployer-1}", "catalyst-"},
		"account by its old name":         {"spec: {serviceAccount: catalyst-deployer-1}", "catalyst-"},
	} {
		attacks[name+" in a Pod"] = attack{podOf(c.change), c.says}
		spec := altered(modest, c.change)
		attacks[name+" in a Deployment"] = attack{inTemplate("apps/v1", "Deployment", "spec: {selector: {matchLabels: {app: a}}}", "spec: {template: POD}", spec), c.says}
		attacks[name+" in a CronJob"] = attack{inTemplate("batch/v1", "CronJob", "spec: {schedule: '0 0 1 1 *'}", "spec: {jobTemplate: {spec: {template: POD}}}", altered(spec, "spec: {restartPolicy: Never}")), c.says}
	}
	attacks["Secret that becomes a token"] = attack{"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: a, annotations: {kubernetes.io/service-account.name: default}}", "token"}
	attacks["Secret that becomes a deployment's token"] = attack{fmt.Sprintf("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: a, annotations: {kubernetes.io/service-account.name: catalyst-deployer-%d}}", 1000), "token"}
	attacks["Secret that joins a node"] = attack{"apiVersion: v1\nkind: Secret\ntype: bootstrap.kubernetes.io/token\nmetadata: {name: a}", "token"}
	attacks["account with a token"] = attack{"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nautomountServiceAccountToken: true", "token"}
	// Kubernetes mounts the token into pods of an account that does not say that it must not.
	attacks["account that leaves it open"] = attack{"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: open}\n---\n" + podOf("spec: {serviceAccountName: open, automountServiceAccountToken: null}"), "token"}
	f.repel(attacks)
}

// inTemplate makes a workload of a pod.
func inTemplate(version, kind, workload, place, pod string) string {
	template := altered(pod, "{apiVersion: null, kind: null, metadata: {name: null, labels: {app: a}}}")
	base := "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: attack}"
	return altered(base, workload, strings.ReplaceAll(place, "POD", template))
}

// workload is a Deployment of modest pods.
func workload(name string, replicas int) string {
	return inTemplate("apps/v1", "Deployment", fmt.Sprintf("{metadata: {name: %s}, spec: {replicas: %d, selector: {matchLabels: {app: a}}}}", name, replicas),
		"spec: {template: POD}", modest)
}

// TestNoMoreThanTheQuota: what a preview may use altogether (K7).
func TestNoMoreThanTheQuota(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.Quota.Pods = 2 })
	f.repel(map[string]attack{
		"a million replicas":  {workload("attack", 1000000), "more pods than a preview may have, which is 2"},
		"a million at a time": {inTemplate("batch/v1", "Job", "spec: {parallelism: 1000000, completions: 1000000}", "spec: {template: POD}", podOf("spec: {restartPolicy: Never}")), "more pods"},
		"a large container":   {podOf(withContainer("resources: {limits: {cpu: 64, memory: 256Gi}}")), "maximum"},
		"a large request":     {podOf(withContainer("resources: {requests: {cpu: 64}}")), "cpu limit of 500m"},
		"large disk":          {podOf(withContainer("resources: {limits: {ephemeral-storage: 1Ti}}")), "maximum"},
		"a load balancer":     {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer, ports: [{port: 80}]}", "catalyst-previews-services"},
	})
	many := ""
	for i := range 70 {
		many += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-%d}\n", i)
	}
	f.repel(map[string]attack{"a flood of objects": {many, "exceeded quota"}})
}

// TestNoMorePodsTogether: two workloads each ask for no more pods than a preview may have, both together do (K7). It has a namespace in
// which nothing that the quota counts is removed meanwhile, which the deployment must not do either: Kubernetes then counts again from a
// cache that may not know the newest pods yet, and lets one more in.
func TestNoMorePodsTogether(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.Quota.Pods = 2 })
	f.attempt++
	d, err := f.unchecked.Deploy(t.Context(), DeployRequest{Identity: f.id, Attempt: f.attempt, Files: makeChart(map[string]string{"a.yaml": workload("one", 2), "b.yaml": workload("two", 2)}), Values: f.values(nil)})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, diagnosis(t, f.c.WaitReady(t.Context(), f.id, d.Objects, time.Minute, nil)), diagnose.CodeQuota, "exceeded quota")
	pods, err := f.admin.CoreV1().Pods(f.id.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	live := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { // one that ends or has ended is not counted any more
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
	})
	if len(live) > 2 {
		t.Errorf("%d pods", len(live))
	}
}
