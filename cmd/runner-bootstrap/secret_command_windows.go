package main

import "os/exec"

// endWhole does nothing here: the process is ended, and what it has started is not known.
func endWhole(*exec.Cmd) {}
