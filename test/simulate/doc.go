// Package simulate proves the life cycle of previews over many short histories: real workers and the real policy run against
// GitHub, a cluster and a database that are kept in memory, crash, lose replies, answer late or not at all, and contradict
// each other. The invariants are checked at every effect, and once everything is well again nothing may be lost, doubled or
// left behind. Time is the fake time of testing/synctest. `make simulate` runs it; see simulate_test.go for how a failure is run again.
package simulate
