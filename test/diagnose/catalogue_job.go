package main

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// jobScenes are Jobs and hooks that do not end well.
func jobScenes(i images) []scene {
	deadline := func(s *batchv1.JobSpec) {
		seconds := int64(4)
		s.ActiveDeadlineSeconds = &seconds
	}
	return []scene{
		{name: "job-fails", want: diagnose.CodeJob, words: []string{`Job "migrate"`, "exit code 9", "cannot migrate"}, fix: "log", known: jobFailed, chart: chart(job(i, "migrate", "", nil, args("-say", "cannot migrate", "-exit", "9")))},
		{name: "job-deadline", want: diagnose.CodeJobDeadline, words: []string{`Job "migrate"`, "activeDeadlineSeconds"}, fix: "activeDeadlineSeconds", known: jobFailed, chart: chart(job(i, "migrate", "", deadline, args("-silent")))},
		{name: "job-out-of-memory", want: diagnose.CodeOutOfMemory, words: []string{`Job "migrate"`, "48Mi"}, fix: "limits.memory", known: jobFailed, long: true, chart: chart(job(i, "migrate", "", nil, args("-oom")))},
		{name: "hook-fails", want: preview.CodeHook, words: []string{`pre-install hook Job "migrate"`, "exit code 7"}, fix: "log", known: jobFailed, chart: chart(job(i, "migrate", "pre-install", nil, args("-exit", "7")))},
		{name: "hook-finds-no-host", want: preview.CodeHook, words: []string{`hook Job "migrate"`, `"postgres"`}, fix: "host name", known: jobFailed, chart: chart(job(i, "migrate", "pre-install", nil, args("-lookup", "postgres")))},
		{name: "hook-image-missing", want: diagnose.CodeImageNotFound, words: []string{`pre-install hook Job "migrate"`}, fix: "build", known: waiting("ErrImagePull", "ImagePullBackOff"), chart: chart(job(i, "migrate", "pre-install", nil, image(i.registry+"/nowhere:1")))},
		{name: "hook-over-quota", want: diagnose.CodeQuota, words: []string{`post-install hook Job "check"`, "48Mi"}, fix: "limits", known: event("FailedCreate", "", 1), before: limitRange, long: true, chart: chart(job(i, "check", "post-install", nil))},
		{name: "hook-never-ends", want: diagnose.CodeHookTimeout, words: []string{`pre-install hook Job "migrate"`}, fix: "sooner", undecided: true, limit: 15 * time.Second, chart: chart(job(i, "migrate", "pre-install", nil, args("-silent")))},
	}
}

// routeScenes are releases that are up and whose URL would lead nowhere.
func routeScenes(i images) []scene {
	exposed := func(s any, port int32) []any { return []any{deployment(i, "web"), s, ingress("web", port)} }
	return []scene{
		{name: "service-selects-nothing", want: diagnose.CodeRoute, words: []string{"selector", "app=wbe"}, fix: "labels", chart: chart(exposed(service("web", "wbe", 80, intstr.FromInt(8080)), 80)...)},
		{name: "service-names-no-port", want: diagnose.CodeRoute, words: []string{`"http"`}, fix: "targetPort", chart: chart(exposed(service("web", "web", 80, intstr.FromString("http")), 80)...), known: isReady},
		{name: "service-sends-elsewhere", want: diagnose.CodeRoute, words: []string{"3000", "8080"}, fix: "targetPort", chart: chart(exposed(service("web", "web", 80, intstr.FromInt(3000)), 80)...), known: isReady},
		{name: "ingress-names-no-port", want: diagnose.CodeRoute, words: []string{"81"}, fix: "ports", chart: chart(exposed(service("web", "web", 80, intstr.FromInt(8080)), 81)...)},
		{name: "certificate-pending", want: diagnose.CodeTLS, words: []string{"DNS problem"}, fix: "issuer", undecided: true, before: certificates, after: pendingCertificate, chart: chart(deployment(i, "web"),
			"apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\nspec: {secretName: web-tls}\n")},
	}
}
