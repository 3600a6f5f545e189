package preview

import "context"

type leaseKey struct{}

// WithLease returns a context whose work may only go on while held says so. held must be quick and may be called from many
// goroutines. It is asked right before each write to the cluster, because a process that was paused wakes up with its
// contexts still alive: only the clock knows that the lease is over.
func WithLease(ctx context.Context, held func() bool) context.Context {
	return context.WithValue(ctx, leaseKey{}, held)
}

// LeaseHeld reports whether the lease of WithLease, if the context has one, is still held.
func LeaseHeld(ctx context.Context) bool {
	held, ok := ctx.Value(leaseKey{}).(func() bool)
	return !ok || held()
}
