package preview

import (
	"context"
	"time"
)

type leaseKey struct{}

// WithLease returns a context whose work may only go on while held says so. held must be quick and may be called from many
// goroutines. It is asked right before each write to the cluster and to GitHub, because a process that was paused wakes up with its
// contexts still alive: only the clock knows that the lease is over.
func WithLease(ctx context.Context, held func() bool) context.Context {
	return context.WithValue(ctx, leaseKey{}, held)
}

// LeaseHeld reports whether the lease of WithLease, if the context has one, is still held.
func LeaseHeld(ctx context.Context) bool {
	held, ok := ctx.Value(leaseKey{}).(func() bool)
	return !ok || held()
}

// Linger returns a context that ends d later than ctx, for one request that is not to be cut off in the middle when its work is
// stopped: whoever goes on with the work must find it done or not done, and not see it arrive later. cancel frees it.
func Linger(ctx context.Context, d time.Duration) (lingering context.Context, cancel context.CancelFunc) {
	lingering, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-lingering.Done():
		}
	})
	return lingering, func() { stop(); end() }
}
