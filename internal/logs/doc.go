// Package logs reads the logs of a preview's containers as one: merged by time, in pages from the end, or followed, with a place for every line
// so that whoever comes back goes on without a loss and without a line twice.
//
// It keeps no log and at most a page of lines in memory, however long a log is. Every line passes through what hides the preview's secrets before it leaves.
package logs
