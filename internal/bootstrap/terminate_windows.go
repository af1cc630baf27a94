package bootstrap

import "os"

// terminate ends a supervisor: a process without a console cannot be asked.
func terminate(process *os.Process) error { return process.Kill() }
