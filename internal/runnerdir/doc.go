// Package runnerdir puts a new copy of a runner in the place of a runner's directory, or of what in it is the runner's own: as a
// whole, or around what is mounted there, or as GitHub's own update does it. What a step that was killed has left is put right by
// the next one. It asks nobody which copy that is to be.
package runnerdir
