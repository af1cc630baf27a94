package main

import "golang.org/x/sys/unix"

// startRuntime asks of the host what the runtime of .NET asks before it runs anything: which processors it has, and to
// be put on each of them (sched_setaffinity). Up to .NET 9 a refusal, whatever its error, is the end of the program.
func startRuntime() bool {
	var processors unix.CPUSet
	return unix.SchedGetaffinity(0, &processors) == nil && unix.SchedSetaffinity(0, &processors) == nil
}
