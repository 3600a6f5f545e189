// Package cluster acts on one Kubernetes cluster: it makes the namespace of a preview, puts a Helm chart into it, waits until
// what was put there is ready or says why it never will be, finds the URL, and takes the namespace away again.
//
// It is the only importer of Helm and of client-go. It decides nothing (policy), remembers nothing (store) and retries nothing
// (worker): every method does one thing once and may be called again. It touches a namespace only when that carries
// Catalyst's labels.
//
// # Errors
//
// A mistake of the user's (a chart that does not render, an object the API server refuses, an image that does not exist) is a
// *preview.Failure, to be shown and not retried. preview.ErrConflict says that a namespace is not the one meant; ErrNotReady,
// ErrForbidden, ErrInvalid and ErrNotFound say what they say. A done context gives an error that wraps ctx.Err(). Everything else is an outage of the cluster: try again.
package cluster
