package supervise

import "os"

const listenerName = "Runner.Listener.exe"

// askToEnd kills the listener: this process shares no console with it, which
// a Ctrl-C would need.
func askToEnd(process *os.Process) error { return process.Kill() }

func killGroup(process *os.Process) { _ = process.Kill() }
