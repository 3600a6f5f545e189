// Package edge stands where the network is, between Catalyst and what it speaks with: TCP spoils connections, HTTP shows
// requests, holds them up and answers them. It is for tests; nothing of the product may import it.
package edge
