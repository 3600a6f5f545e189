// Package chart brings in the Helm chart of a repository at one commit: it unpacks the commit's archive safely, finds the
// chart, reads its files into memory, and lays the values of a preview over each other.
//
// The archive is foreign and perhaps hostile: it is written through an os.Root, within caps, and nothing of it is ever
// executed here. Rendering and installing are the cluster package's work; so is .helmignore, which Helm itself honours.
package chart
