// Package chart brings in the Helm chart of a repository at one commit: it unpacks the commit's archive safely, finds the
// chart, reads its files into memory, and lays the values of a preview over each other.
//
// The archive is foreign and perhaps hostile: it is written through an os.Root, within caps, and nothing of it is parsed or executed
// by Open. What looks into the files (Values) is called by package render, in its child process. Installing is the cluster package's work.
package chart
