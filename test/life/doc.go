// Package life proves the life of a runner through the compiled program: what it makes of each ending of its listener,
// that it survives being killed at any moment, and that a job finds no secret. The tests need Linux, where processes
// can be looked at.
package life
