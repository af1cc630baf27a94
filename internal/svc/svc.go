// Package svc is what is said to a service manager, and what it answers: how a service is to be, how it is, what it is called. The
// package of each manager below this one (systemd, scm) does what is said. They do not know each other; the program chooses one.
//
// Services are the whole system's (not of one user), and everybody can read how they are described: they hold no secret.
package svc

import "time"

// Unit describes one program as the service manager shall run it.
type Unit struct {
	Name          string        // without ".service", for example actions.runner.octo-org.web-1
	Description   string        // one line for people; may be empty
	Documentation string        // addresses (https://, man:, ...) with blanks between them; may be empty
	Executable    string        // absolute path
	Args          []string      // what follows the program's name; any text without control characters
	Directory     string        // absolute path of the working directory
	StopTimeout   time.Duration // how long a stop may take before everything is killed; 0 is systemd's default, 90 s
	// NoRestartStatus lists the exit codes that a restart cannot mend, 1 to 255.
	NoRestartStatus []int
	// Notify has a start wait until the program says that it is ready (as systemd.Notifier does), instead of until it was executed.
	Notify bool
	// StartTimeout is how long a start may take before it has failed; 0 is systemd's default, 90 s.
	StartTimeout time.Duration
	// Watchdog is for how long the program may keep silent before it is killed and started again; 0 is for ever. It
	// is at least a second, and needs Notify.
	Watchdog time.Duration
	// Mounts are clean absolute paths that the program needs: what is mounted at or above them comes first.
	Mounts  []string
	Sandbox Sandbox
	// Keeps are other units that the program has start and end, without ".service". Systemd ends them when the program has ended
	// without doing so.
	Keeps []string
	// Life is the service that jobs run in, where an account needs one: on Windows.
	Life Life
	// LogFile is where the program writes its log on a system without a journal: Windows.
	LogFile string
	// RuntimeFolder is the name of a folder in /run for this program and its like, private to root; empty: none.
	RuntimeFolder string
}

// Life is a service that is started by another one, as another account. The zero value is none.
type Life struct {
	Name    string
	Account string // as the service manager calls it
	// Password gives that of an account which needs one; nil: it needs none.
	Password func() (string, error)
	// Args are what follows the program's name; the program is that of the unit.
	Args []string
}

// Control is what a service manager may tell a program beside to stop.
type Control string

// The controls.
const (
	ControlDrain  Control = "drain"
	ControlResume Control = "resume"
	ControlNow    Control = "now"
)

// HostWord is the first argument of a process of this program that keeps a [Life]; the next one is the name of its service.
const HostWord = "host"

// LifeOf is the name of the [Life] of a service.
func LifeOf(name string) string { return name + ".host" }
