// Package jail confines one life of a program that runs what strangers wrote: the listener of a runner with its jobs,
// or a config.sh. It says where such a program starts, what it sees of the host, and ends all that it has started, however
// that has hidden itself.
//
// There are several ways of doing that, each a [Maker]; [Choose] takes the strongest that this host has, and says in words
// what that one does not keep out. All of them keep to the same contract, and to the same tests:
//
//   - A life begins with Start, and is over when End has succeeded; nothing that it has started runs then. End is called after
//     every life, however that went.
//   - Main is the program itself. When it has ended, what it has left may go on until End where Spec.Outlive says so, and
//     is ended with it otherwise.
//   - A life does not outlast the process that has started it: what is left of it is ended by the kernel, by the service
//     manager, or at the latest by the next Start under its name.
package jail

import (
	"context"
	"os"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
)

// Spec is one life: what is started, as whom, and what it sees.
type Spec struct {
	// Name tells the lives of a host apart, as a service's name does: letters, digits, dots, dashes, underlines. There is
	// one life at a time under a name, and one that was left behind is ended before the next begins.
	Name string
	// Description is a line for people.
	Description string
	// Argv is the program, by its absolute path, and its arguments. Everybody on the host may read it: no secrets.
	Argv []string
	// Env ("KEY=VALUE") is the environment, to which systemd adds some of its own (INVOCATION_ID). It reaches the program and its
	// children, and nobody else.
	Env []string
	// Dir is where it starts: an absolute path, which the account can enter.
	Dir string
	// User is who it runs as. A uid and a gid are enough, without a name: nobody has to know them. Start then succeeds for a
	// program that cannot be executed, where it is systemd who tries; it ends with 126 or 127.
	User account.User
	// Output gets what it writes to stdout and stderr; nil: nobody does. It stays the caller's, who closes it after Start, or
	// keeps it. It has to be a file, a pipe or /dev/null. Stdin is always empty.
	Output *os.File
	// Tasks bounds how many processes and threads it may have at a time; 0 does not.
	Tasks int
	// Grace is how long Main may take to end after an interrupt, where nobody is left who would wait for it: when this
	// process was killed, or the machine goes down.
	Grace time.Duration
	// Outlive are exit codes of Main after which what it has left goes on until End. When nobody is left who would call End,
	// it may go on for OutliveTime.
	Outlive     []int
	OutliveTime time.Duration
	View        View
	// Begins is called, unless it is nil, before the program can do anything, with the process that keeps the life, as this host
	// numbers it: it leads a process group, and ends when nothing of the life runs, also when this process was killed. It is 0
	// where there is none: the life is systemd's, or there is the program alone. After an error of it nothing is started.
	Begins func(keeper int) error `json:"-"`
}

// begins calls Begins.
func (s *Spec) begins(keeper int) error {
	if s.Begins == nil {
		return nil
	}
	return s.Begins(keeper)
}

// View is what a life sees of the host, and what it may do to it. The zero value sees all of it and may do what its account may.
type View struct {
	// Confined asks for a view of its own. Without it nothing else of this counts but Fresh and OwnKeys.
	Confined bool
	// Writable are clean absolute paths that stay as they are, and may be written, in what is otherwise hidden or read-only. What
	// is not there is left out. Below /dev they are devices that it may use.
	Writable []string
	// Hidden are clean absolute paths that look empty, or cannot be opened. What is in Writable, and lies in one of them, is
	// there all the same. What is not there is left out.
	Hidden []string
	// Home is the home of the account: written to, and the only one to be seen. Empty: it has none. With Fresh it is an empty
	// folder that belongs to the account, and is gone with the life; the one on the disk is not touched.
	Home  string
	Fresh bool
	// OwnKeys says that nobody but the lives of this name run as the account, so that what it has in the kernel's keyrings is an
	// earlier life's: it is cleared before this one begins.
	OwnKeys bool
	// HostTemp leaves the host's /tmp, /var/tmp, /dev/shm and /run/lock, where something in them is needed. Otherwise it has its
	// own, which are empty when it begins and gone with it.
	HostTemp bool
	// What is open beside that. Sudo includes D-Bus, since who is root can talk to everybody.
	Sudo   bool // setuid programs such as sudo
	Docker bool // the Docker daemon; includes HostTemp, as the daemon takes paths from a job and looks for them on the host
	DBus   bool // the system's D-Bus
}

// Maker starts lives in one way.
type Maker interface {
	// Name is a word for it: "systemd", "namespaces", "descendants".
	Name() string
	// Weaker says, each in a clause without a full stop, what this way does not keep out that the strongest would, and why it
	// had to be this one. None for the strongest.
	Weaker() []string
	// Start ends what was left under spec's name, and starts a life. After an error nothing of it runs. The error is a
	// [*StartError] where the program, or its confinement, cannot be had on this host, and matches what the kernel says
	// ([io/fs.ErrNotExist], [io/fs.ErrPermission]). When ctx ends while it starts, it does not.
	Start(ctx context.Context, spec Spec) (Life, error)
	// Prepare has the next lives, as many as that, begin sooner: a process is started for each where that is the way. They cost
	// memory until Start has taken them; 0 ends what no life has taken. An error costs nothing but time.
	Prepare(lives int) error
	// EndStale ends what was left under a name by a process that was killed, and returns when nothing of it runs. Nothing
	// there is success. It may be repeated.
	EndStale(ctx context.Context, name string) error
}

// Life is one program that was started, with all that comes from it.
type Life interface {
	// Main is the program as this host numbers it.
	Main() reaper.Process
	// Interrupt asks Main, and nobody else, to end in its own way: SIGINT. One that has ended already is success.
	Interrupt() error
	// Wait returns when Main has ended, and says how. It may be called several times, and by several at a time.
	Wait() (Exit, error)
	// Gone is closed, a moment later at most, when Main has ended and nothing of the life runs any more; nil on systems where that
	// is not found out without ending it.
	Gone() <-chan struct{}
	// End kills all that is left, Main too, and takes away what the life had for itself alone. After success nothing of it
	// runs. After a failure it may be repeated; the error is about processes that even SIGKILL does not end, or about a service
	// manager that does not answer.
	End(ctx context.Context) error
}

// Exit is how a program has ended.
type Exit struct {
	Code   int // -1 when it was killed, or nobody can say
	Signal int // what it was killed by; 0: by none, or nobody can say
}
