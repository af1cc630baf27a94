// Package reaper finds and ends the processes that a runner leaves behind:
// descendants that made themselves daemons, and orphans of a supervisor that
// was killed.
//
// A process is known by its number and the moment it started, since the kernel
// gives numbers out again. Every signal goes to exactly the process that was
// looked at: it is sent through a handle on the process (a pidfd), after its
// start was compared once more behind that handle. Only where the kernel has
// none (before Linux 5.4, or refused by a sandbox) the moment between
// comparing and sending remains.
//
// It works on Linux. Elsewhere nothing is found and nothing is ended.
package reaper

// Process is one process of this boot.
type Process struct {
	PID   int
	Start uint64 // clock ticks since boot: field 22 of /proc/PID/stat
	UID   int    // the real user: the account that the process was started for
}

// Stray is a process of an account that nothing of ours has started.
type Stray struct {
	Process
	Name string // of its program, as the kernel tells; empty where that is not known
}
