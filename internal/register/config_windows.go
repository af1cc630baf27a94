package register

import "os"

// interrupt ends config.cmd; Windows has no gentler way for a process without
// a console.
func interrupt(process *os.Process) error { return process.Kill() }

func killGroup(process *os.Process) { _ = process.Kill() }
