package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"catalyst.dev/catalyst/internal/cluster"
)

// edit changes a pod before it goes into a workload; c is its first container.
type edit func(p *corev1.PodSpec, c *corev1.Container)

// pod is a well-behaved pod, as the strictest Pod Security level and a small quota want it, with changes.
func pod(i images, name string, edits ...edit) corev1.PodSpec {
	no, yes, user := false, true, int64(65532)
	second := int64(1)
	p := corev1.PodSpec{
		AutomountServiceAccountToken: &no, TerminationGracePeriodSeconds: &second,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers:      []corev1.Container{container(i, name)},
	}
	for _, e := range edits {
		e(&p, &p.Containers[0])
	}
	return p
}

func container(i images, name string) corev1.Container {
	no := false
	return corev1.Container{
		Name: name, Image: i.good,
		Ports:           []corev1.ContainerPort{{ContainerPort: 8080}},
		ReadinessProbe:  &corev1.Probe{ProbeHandler: get("/healthz", 8080), PeriodSeconds: 1},
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("8Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("48Mi")},
		},
	}
}

func get(path string, port int) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt(port)}}
}

// args are the arguments of the application.
func args(a ...string) edit { return func(_ *corev1.PodSpec, c *corev1.Container) { c.Args = a } }

func image(ref string) edit { return func(_ *corev1.PodSpec, c *corev1.Container) { c.Image = ref } }

// task makes it a pod that ends.
func task(p *corev1.PodSpec, c *corev1.Container) {
	p.RestartPolicy, c.ReadinessProbe, c.Ports = corev1.RestartPolicyNever, nil, nil
}

func env(name, value string) edit {
	return func(_ *corev1.PodSpec, c *corev1.Container) {
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func template(name string, p corev1.PodSpec) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(name)}, Spec: p}
}

func labels(name string) map[string]string { return map[string]string{"app": name} }

func deployment(i images, name string, edits ...edit) any { return replicas(i, name, 1, edits...) }

func replicas(i images, name string, n int32, edits ...edit) any {
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta(name),
		Spec: appsv1.DeploymentSpec{Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels(name)}, Template: template(name, pod(i, name, edits...))},
	}
}

func statefulSet(i images, name string, edits ...edit) any {
	n := int32(1)
	return &appsv1.StatefulSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"}, ObjectMeta: meta(name),
		Spec: appsv1.StatefulSetSpec{Replicas: &n, ServiceName: name, Selector: &metav1.LabelSelector{MatchLabels: labels(name)}, Template: template(name, pod(i, name, edits...))},
	}
}

func daemonSet(i images, name string, edits ...edit) any {
	return &appsv1.DaemonSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"}, ObjectMeta: meta(name),
		Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels(name)}, Template: template(name, pod(i, name, edits...))},
	}
}

// job is a Job; with a hook, a Helm hook of that event.
func job(i images, name, hook string, change func(*batchv1.JobSpec), edits ...edit) any {
	none := int32(0)
	j := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: meta(name),
		Spec: batchv1.JobSpec{BackoffLimit: &none, Template: template(name, pod(i, name, append([]edit{task}, edits...)...))},
	}
	if hook != "" {
		j.Annotations = map[string]string{"helm.sh/hook": hook}
	}
	if change != nil {
		change(&j.Spec)
	}
	return j
}

// service leads port to target of the pods of that name.
func service(name, pods string, port int32, target intstr.IntOrString) any {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(name),
		Spec: corev1.ServiceSpec{Selector: labels(pods), Ports: []corev1.ServicePort{{Port: port, TargetPort: target}}},
	}
}

// ingress sends all of a host to a port of a Service.
func ingress(name string, port int32) any {
	prefix := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"}, ObjectMeta: meta(name),
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: "{{ .Release.Namespace }}.preview.localhost",
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Number: port}}},
			}}}},
		}}},
	}
}

// claim is the volume claim "data".
func claim(class string) any {
	c := &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, ObjectMeta: meta("data"),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
		},
	}
	if class != "" {
		c.Spec.StorageClassName = &class
	}
	return c
}

// volume mounts a volume at a path.
func volume(name, path string, source corev1.VolumeSource) edit {
	return func(p *corev1.PodSpec, c *corev1.Container) {
		p.Volumes = append(p.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
}

// chart puts objects, and texts as they are, into a chart.
func chart(objects ...any) []cluster.File {
	files := []cluster.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: broken\nversion: 1.0.0\n")}}
	for n, o := range objects {
		text, ok := o.(string)
		if !ok {
			b, err := yaml.Marshal(o)
			if err != nil {
				panic(err) // the objects are this package's own
			}
			text = string(b)
		}
		files = append(files, cluster.File{Name: fmt.Sprintf("templates/%02d.yaml", n), Data: []byte(text)})
	}
	return files
}
