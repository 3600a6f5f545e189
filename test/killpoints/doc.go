// Package killpoints kills Catalyst at each of its side effects and looks whether all heals. testdata/points.txt is the list of
// them, in the life of one pull request; a run that has another list fails.
package killpoints
