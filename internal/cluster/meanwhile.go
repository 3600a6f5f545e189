package cluster

import (
	"context"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// asDeployer makes requests as the deployer of an operation, once it has one.
type asDeployer struct{ op *operation }

// RoundTrip implements http.RoundTripper.
func (a asDeployer) RoundTrip(req *http.Request) (*http.Response, error) {
	as, err := a.op.hired()
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return as.RoundTrip(req)
}

// hire has the deployer made meanwhile. Call it when the namespace is surely the preview's.
func (op *operation) hire() {
	type result struct {
		as  *deployer
		err error
	}
	done := make(chan result, 1)
	go func() {
		var as *deployer
		err := inForce(op.ctx, func(ctx context.Context) (err error) {
			as, err = op.c.hire(ctx, op.client, op.r.Identity.Namespace, op.r.Attempt)
			return err
		})
		if err == nil {
			err = as.ready(op.ctx)
		}
		done <- result{as, err}
	}()
	op.hired = sync.OnceValues(func() (*deployer, error) {
		r := <-done
		return r.as, r.err
	})
}

// guard has the guards seen to meanwhile.
func (op *operation) guard(ns *corev1.Namespace) {
	if op.r.Guards == nil {
		op.guarded = func() error { return nil }
		return
	}
	done := make(chan error, 1)
	go func() {
		end := op.r.Step(preview.StepGuard)
		err := kind(op.c.keepGuards(op.ctx, ns, op.r.Identity, *op.r.Guards))
		end(err)
		done <- err
	}()
	op.guarded = sync.OnceValue(func() error { return <-done })
}
