package jail

import (
	"fmt"
	"log/slog"
)

// Options are what a host gives to lives.
type Options struct {
	// Folder is where lives have what they need on the disk: their temporary folders and homes. It is made where it is missing,
	// and nobody else has anything in it. Its file system is the one that jobs fill.
	Folder string
	// Unit is the service that this process was started as by systemd; empty: it was not. Only then systemd is asked for
	// anything: a program that somebody has started by hand keeps what it starts.
	Unit string
	// Soon are the lives that are about to start: see [Maker.Prepare].
	Soon int
	Log  *slog.Logger
}

// The names of makers.
const (
	Systemd     = "systemd"
	Namespaces  = "namespaces"
	Descendants = "descendants"
	Group       = "group"
	JobObject   = "job object"
	Service     = "service"
)

// StartError says that a program was not started.
type StartError struct {
	// Program is what was to be started.
	Program string
	// Step is what has failed on the way, as a clause ("mounting /proc"); empty: starting the program itself.
	Step  string
	Cause error
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("starting %q: ", e.Program)
	if e.Step != "" {
		text += e.Step + ": "
	}
	return text + e.Cause.Error()
}

func (e *StartError) Unwrap() error { return e.Cause }
