// Package preview holds the nouns of the product: repository, pull request, preview, deployment, step, delivery, job,
// diagnosis, and the events that change them, together with the names and the error kinds that every other package shares.
//
// It is the leaf of the import graph: the standard library only, no input or output, no clock. Anything that acts on these
// nouns lives elsewhere (policy decides, store keeps, worker acts).
package preview
