package svc

import "context"

// Active says what a unit is doing.
type Active string

// What a unit may be doing. A unit that waits to be restarted after a crash counts as starting, and so does one whose
// program runs and has not said yet that it is ready; MainPID tells them apart.
const (
	Absent   Active = "absent"
	Running  Active = "running"
	Starting Active = "starting"
	Stopping Active = "stopping"
	Stopped  Active = "stopped"
	Failed   Active = "failed"
)

// State is what systemd says about a unit.
type State struct {
	Installed  bool   // systemd has read a unit of this name
	Enabled    bool   // and will start it at boot
	Active     Active // a unit may run on after its file is gone: then it is not Installed
	Detail     string // systemd's own words, for example "loaded activating auto-restart"
	MainPID    int    // 0 when no process runs
	Restarts   int    // how often systemd restarted it by itself since it was last started
	ExitStatus int    // of the last process that ended; 128 and the signal for a killed one
	UnitPath   string // the file that systemd reads; empty when there is none
	Starts     string // the command that the service manager of Windows starts; empty elsewhere
	// AsDescribed tells whether that file's text is what Install would write; false for a service opened by [Named].
	AsDescribed bool
}

// Up tells whether it runs, or is about to.
func (st State) Up() bool { return st.Active == Running || st.Active == Starting }

// StopMode is the way in which a service is stopped.
type StopMode int

const (
	// Gently lets the program finish what it has under way, for as long as the unit's StopTimeout.
	Gently StopMode = iota
	// Now tells the program not to wait for that. Whatever the program starts is not told, since ending that in
	// order is the program's business.
	Now
)

// Change is what Install has done to a unit.
type Change struct {
	// Made is false where everything was so already.
	Made bool
	// Undo gives the unit the text back that it had before, and whether it was enabled. It neither starts nor stops
	// it, and works also when the context of Install has ended. It is nil where there was no unit, or the same text.
	Undo func(ctx context.Context) error
}
