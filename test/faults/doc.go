// Package faults spoils the network, the database, the clock and the processes under Catalyst, and looks whether all heals. A run in which
// the fault met nobody is void and fails.
package faults
