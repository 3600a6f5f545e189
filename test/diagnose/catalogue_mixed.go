package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"catalyst.dev/catalyst/internal/diagnose"
)

func token(_ *corev1.PodSpec, c *corev1.Container) {
	c.Env = append(c.Env, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "token"}, Key: "key"}}})
}

// mixedScenes have more than one thing wrong, or one that looks like many.
func mixedScenes(i images) []scene {
	db := service("db", "db", 5432, intstr.FromInt(8080))
	nowhere := image(i.registry + "/nowhere:1")
	later := withInit(i, args("-life", "6s", "-exit", "0")) // the image is pulled after it
	return []scene{
		{name: "secret-explains-crash", want: diagnose.CodeContainerConfig, words: []string{`Deployment "db"`, `Secret "token"`}, fix: "chart", known: waiting("CreateContainerConfigError"),
			chart: chart(deployment(i, "web", args("-dial", "db:5432"), env("DATABASE_URL", "postgres://db:5432/shop")), deployment(i, "db", token), db)},
		{name: "migration-explains-crash", want: diagnose.CodeJob, words: []string{`Job "migrate"`, "exit code 9"}, fix: "log", known: jobFailed,
			chart: chart(deployment(i, "web", args("-say", `ERROR: relation "orders" does not exist`, "-exit", "1")), job(i, "migrate", "", nil, args("-life", "3s", "-exit", "9")))},
		{name: "service-explains-crash", want: diagnose.CodeRoute, words: []string{`Service "db"`, "app=database"}, fix: "labels", known: ended(2),
			chart: chart(deployment(i, "web", args("-dial", "db:5432")), deployment(i, "db"), service("db", "database", 5432, intstr.FromInt(8080)))},
		{name: "target-port-explains-crash", want: diagnose.CodeRoute, words: []string{`Service "db"`, "5432", "listens on 8080"}, fix: "targetPort", known: ended(1),
			chart: chart(deployment(i, "web", args("-dial", "db:5432")), deployment(i, "db"), service("db", "db", 5432, intstr.FromInt(5432)))},
		{name: "claim-explains-all", want: diagnose.CodeClaim, words: []string{`"fast"`}, fix: "class", known: event("ProvisioningFailed", "", 1), chart: chart(claim("fast"), db,
			deployment(i, "web", args("-dial", "db:5432")),
			deployment(i, "db", volume("data", "/data", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}})))},
		{name: "image-and-secret", want: diagnose.CodeImageNotFound, also: diagnose.CodeContainerConfig, words: []string{"nowhere:1", `Secret "token"`}, fix: "build", known: waiting("ErrImagePull", "ImagePullBackOff"),
			chart: chart(deployment(i, "web", nowhere, later), deployment(i, "worker", token))},
		{name: "two-images", want: diagnose.CodeImageNotFound, also: diagnose.CodeImageArch, words: []string{"nowhere:1"}, fix: "build", known: waiting("ErrImagePull", "ImagePullBackOff"), long: true,
			chart: chart(deployment(i, "web", nowhere, later), deployment(i, "worker", image(i.foreign), later))},
		{name: "memory-explains-checks", want: diagnose.CodeOutOfMemory, words: []string{"48Mi"}, fix: "limits.memory", known: ended(3), long: true,
			chart: chart(deployment(i, "web", args("-oom")), service("web", "web", 80, intstr.FromInt(8080)), ingress("web", 80))},
		{name: "crash-beside-slow", want: diagnose.CodeReadOnly, words: []string{"/etc"}, fix: "emptyDir", known: ended(2), chart: chart(
			deployment(i, "web", args("-write", "/etc/x"), func(_ *corev1.PodSpec, c *corev1.Container) {
				yes := true
				c.SecurityContext.ReadOnlyRootFilesystem = &yes
			}),
			deployment(i, "slow", args("-startup", "120s")))},
	}
}

// healingScenes look bad for a while and are not: nobody may call them failed.
func healingScenes(i images) []scene {
	return []scene{
		{name: "slow-150s", want: wellBehaved, known: isReady, long: true, chart: chart(deployment(i, "web", args("-startup", "150s")))},
		{name: "loading-150s", want: wellBehaved, known: isReady, long: true, chart: chart(deployment(i, "web", args("-health-after", "150s")))},
		{name: "slow-150s-beside-metrics", want: wellBehaved, known: isReady, long: true, chart: chart(deployment(i, "web", args("-say", "metrics listening on :9100", "-startup", "150s")))},
		{name: "slow-150s-beside-grpc", want: wellBehaved, known: isReady, long: true, chart: chart(deployment(i, "web", args("-say", "serving gRPC on :9000", "-startup", "150s"), func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: 9000})
		}))},
		{name: "slow-40s", want: wellBehaved, known: isReady, chart: chart(deployment(i, "web", args("-startup", "40s")))},
		{name: "slow-40s-beside-other-port", want: wellBehaved, known: isReady, chart: chart(deployment(i, "web", args("-say", "listening on :9090", "-startup", "40s")))},
		{name: "crashes-until-database-is-there", want: wellBehaved, long: true, chart: chart(
			deployment(i, "web", args("-dial", "db:5432")), deployment(i, "db", args("-startup", "45s")), service("db", "db", 5432, intstr.FromInt(8080)))},
		{name: "secret-comes-later", want: wellBehaved, during: lateSecret, chart: chart(deployment(i, "web", token))},
		{name: "well-behaved", want: wellBehaved, known: isReady, chart: chart(deployment(i, "web"), service("web", "web", 80, intstr.FromInt(8080)), ingress("web", 80), job(i, "migrate", "pre-install", nil, args("-exit", "0")))},
	}
}

// lateSecret makes the Secret once the pod has been told that there is none.
func lateSecret(ctx context.Context, s *stage) error {
	err := until(ctx, time.Minute, "a container lacks the Secret", func() (bool, error) {
		pods, err := s.admin.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for i := range pods.Items {
			if waiting("CreateContainerConfigError")(&pods.Items[i]) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: meta("token"), StringData: map[string]string{"key": "x"}}
	_, err = s.admin.CoreV1().Secrets(s.namespace).Create(ctx, secret, metav1.CreateOptions{})
	return err
}
