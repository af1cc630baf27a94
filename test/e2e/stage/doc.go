// Package stage sets what an end-to-end test plays on: a machine that has booted, a GitHub that it reaches on its own
// loopback interface, and the compiled program in it.
package stage
