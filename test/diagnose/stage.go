package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"catalyst.dev/catalyst/internal/cluster"
)

// stage is where one case plays: a namespace of the cluster.
type stage struct {
	namespace string
	admin     *kubernetes.Clientset // the cluster past the code under test
	objects   *dynamic.DynamicClient
	applied   time.Time // when the release was
	ends      []func(context.Context) error
}

// cleanup has something undone at the end of the case.
func (s *stage) cleanup(undo func(context.Context) error) { s.ends = append(s.ends, undo) }

// end undoes what the case has done outside of its namespace, and removes that.
func (s *stage) end(ctx context.Context) error {
	var errs []error
	for _, undo := range s.ends {
		errs = append(errs, undo(ctx))
	}
	s.ends = nil
	return errors.Join(append(errs, s.remove(ctx))...)
}

func (s *stage) remove(ctx context.Context) error {
	zero := int64(0)
	err := s.admin.CoreV1().Namespaces().Delete(ctx, s.namespace, metav1.DeleteOptions{GracePeriodSeconds: &zero})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// clear removes what an earlier run has left, and waits until it is gone.
func (s *stage) clear(ctx context.Context) error {
	if err := s.remove(ctx); err != nil {
		return err
	}
	return until(ctx, 2*time.Minute, "namespace "+s.namespace+" of an earlier run is gone", func() (bool, error) {
		_, err := s.admin.CoreV1().Namespaces().Get(ctx, s.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// inForce waits until the API server refuses a Deployment for a rule that was just made: it hears of those a moment later.
func (s *stage) inForce(ctx context.Context, words string, replicas int32) error {
	d := &appsv1.Deployment{ObjectMeta: meta("rehearsal"), Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels("x")}, Template: template("x", pod(images{good: "x"}, "x")),
	}}
	return until(ctx, time.Minute, "a rule is in force", func() (bool, error) {
		_, err := s.admin.AppsV1().Deployments(s.namespace).Create(ctx, d, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), words), nil
	})
}

// until asks four times a second until done says yes, and gives up with what was waited for when the limit is over.
func until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s in vain until %s", limit, what)
		case <-ticker.C:
		}
	}
}

// file is one more file of a chart.
func file(name, text string) cluster.File { return cluster.File{Name: name, Data: []byte(text)} }
