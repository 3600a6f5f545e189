package main

import (
	corev1 "k8s.io/api/core/v1"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// imageScenes are images that the node does not get.
func imageScenes(i images) []scene {
	pulling := waiting("ErrImagePull", "ImagePullBackOff")
	return []scene{
		{name: "image-missing", want: diagnose.CodeImageNotFound, words: []string{"/misbehave:not-built-yet"}, fix: "build", known: pulling,
			chart: chart(deployment(i, "web", image(i.registry+"/misbehave:not-built-yet")))},
		{name: "image-missing-in-init", want: diagnose.CodeImageNotFound, words: []string{"nit container"}, fix: "build", known: pulling, long: true,
			chart: chart(deployment(i, "web", withInit(i, image(i.registry+"/misbehave:not-built-yet"))))},
		{name: "image-missing-in-daemonset", want: diagnose.CodeImageNotFound, words: []string{`DaemonSet "web"`}, fix: "build", known: pulling, long: true,
			chart: chart(daemonSet(i, "web", image(i.registry+"/nowhere:1")))},
		{name: "image-missing-after-push", want: diagnose.CodeImageNotFound, words: []string{":next"}, fix: "build", known: pulling,
			first: chart(deployment(i, "web")), chart: chart(deployment(i, "web", image(i.registry+"/misbehave:next")))},
		{name: "image-denied", want: diagnose.CodeImageDenied, words: []string{"denied/app"}, fix: "imagePullSecrets", known: pulling,
			chart: chart(deployment(i, "web", image(refusing+"/denied/app:1")))},
		{name: "image-denied-without-secret", want: diagnose.CodeImageDenied, words: []string{"regcred"}, fix: "pull secret", known: pulling,
			chart: chart(deployment(i, "web", image(refusing+"/denied/app:1"), func(p *corev1.PodSpec, _ *corev1.Container) {
				p.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "regcred"}}
			}))},
		{name: "image-name", want: diagnose.CodeImageName, words: []string{"Not/An:Image:Name"}, fix: "Correct", known: waiting("InvalidImageName"),
			chart: chart(deployment(i, "web", image("Not/An:Image:Name")))},
		{name: "image-never-pulled", want: diagnose.CodeImageNotFound, words: []string{"imagePullPolicy"}, fix: "IfNotPresent", known: waiting("ErrImageNeverPull"), long: true,
			chart: chart(deployment(i, "web", image(i.registry+"/misbehave:never"), func(_ *corev1.PodSpec, c *corev1.Container) { c.ImagePullPolicy = corev1.PullNever }))},
		{name: "image-other-cpu", want: diagnose.CodeImageArch, words: []string{"CPU"}, fix: "platform", known: pulling,
			chart: chart(deployment(i, "web", image(i.foreign)))},
		{name: "exec-format", want: diagnose.CodeImageArch, words: []string{"exec format error"}, fix: "platform", known: ended(1),
			chart: chart(deployment(i, "web", image(i.mislabel)))},
		{name: "registry-busy", want: diagnose.CodeImagePull, words: []string{"busy/app"}, fix: "again", undecided: true, known: pulling,
			chart: chart(deployment(i, "web", image(refusing+"/busy/app:1")))},
	}
}

// startScenes are containers that do not start.
func startScenes(i images) []scene {
	config := waiting("CreateContainerConfigError")
	secret := func(name, key string) edit {
		return func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Env = append(c.Env, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}}})
		}
	}
	configMap := func(_ *corev1.PodSpec, c *corev1.Container) {
		c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	}
	driver := corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "nowhere.example.com"}}
	return []scene{
		{name: "secret-missing", want: diagnose.CodeContainerConfig, words: []string{`Secret "token"`}, fix: "chart", known: config, chart: chart(deployment(i, "web", secret("token", "key")))},
		{name: "configmap-missing", want: diagnose.CodeContainerConfig, words: []string{`ConfigMap "settings"`}, fix: "chart", known: config, chart: chart(deployment(i, "web", configMap))},
		{name: "secret-key-missing", want: diagnose.CodeContainerConfig, words: []string{`key "password" of Secret "token"`}, fix: "reference", known: config, chart: chart(
			"apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {key: x}\n", deployment(i, "web", secret("token", "password")))},
		{name: "volume-configmap-missing", want: diagnose.CodeContainerConfig, words: []string{`ConfigMap "files"`}, fix: "chart", known: event("FailedMount", "files", 1),
			chart: chart(deployment(i, "web", volume("files", "/files", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "files"}}})))},
		{name: "volume-driver-missing", want: diagnose.CodeVolumeMount, words: []string{"nowhere.example.com"}, fix: "driver", known: event("FailedMount", "nowhere", 3),
			chart: chart(deployment(i, "web", volume("data", "/data", driver)))},
		{name: "service-account-missing", want: diagnose.CodeContainerConfig, words: []string{`ServiceAccount "robot"`}, fix: "chart", known: notLetIn,
			chart: chart(deployment(i, "web", func(p *corev1.PodSpec, _ *corev1.Container) { p.ServiceAccountName = "robot" }))},
		{name: "runs-as-root", want: diagnose.CodeRunAsRoot, words: []string{"root"}, fix: "USER", known: config,
			chart: chart(deployment(i, "web", func(p *corev1.PodSpec, _ *corev1.Container) { p.SecurityContext.RunAsUser = nil }))},
		{name: "command-missing", want: diagnose.CodeContainerStart, words: []string{"/no/such/program"}, fix: "command", known: ended(1),
			chart: chart(deployment(i, "web", func(_ *corev1.PodSpec, c *corev1.Container) { c.Command = []string{"/no/such/program"} }))},
		{name: "no-command", want: diagnose.CodeContainerStart, words: []string{"no program"}, fix: "ENTRYPOINT", known: waiting("CreateContainerError"),
			chart: chart(deployment(i, "web", image(i.noCommand)))},
		{name: "values-do-not-fit", want: preview.CodeValues, words: []string{"replicas"}, fix: "values", chart: append(chart(deployment(i, "web")), file("values.schema.json",
			`{"properties": {"replicas": {"type": "integer"}}}`), file("values.yaml", "replicas: many\n"))},
		{name: "does-not-render", want: preview.CodeRender, words: []string{"00.yaml", "host"}, fix: "value", chart: chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.web.host }} }\n")},
		{name: "object-refused", want: preview.CodeApply, words: []string{"port"}, fix: "Correct", chart: chart(
			"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}\n")},
	}
}

// withInit puts an init container before the pod's own.
func withInit(i images, edits ...edit) edit {
	return func(p *corev1.PodSpec, _ *corev1.Container) {
		c := container(i, "setup")
		c.ReadinessProbe, c.Ports = nil, nil
		for _, e := range edits {
			e(p, &c)
		}
		p.InitContainers = append(p.InitContainers, c)
	}
}
