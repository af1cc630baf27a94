package jail

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
)

// First is to be called before anything else, by each program that starts lives, with its own arguments. In a process that
// was started to be the first one of a life it returns when that is over, with the code to exit with; in every other it does
// nothing, and is false.
func First(args []string) (code int, first bool) {
	if len(args) != 1 || args[0] != firstName {
		return 0, false
	}
	return firstProcess(), true
}

// first is the process that has a life for descendants, and nothing else: it buries them, and when it ends, they are ended.
type first struct {
	orders  <-chan order
	report  *json.Encoder
	begin   beginning
	main    int
	exited  chan Exit     // gets how the program has ended
	nothing chan struct{} // closed when no child is left
}

func firstProcess() int {
	// What is set for the program, and what ties its life to this process, belongs to one thread.
	runtime.LockOSThread()
	unix.CloseOnExec(orderFile)
	unix.CloseOnExec(reportFile)
	// The keys of the session in which the agent was started, root's as a rule, are not for jobs, nor those of one for the next. It fails
	// where nobody can use keys.
	_, _ = unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	// Otherwise it has the name of the link by which it was started. A name is for people, and may fail.
	_ = os.WriteFile("/proc/self/comm", []byte(commandName), 0)
	// What this process was told is not for the account's other processes. It fails for no process that may start programs.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	// Caught, and not ignored: the program would inherit that. They are for the one who has started this process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGPIPE)
	if takeOver(orderFile) != nil {
		return 1 // there was nothing to do
	}
	lines := json.NewDecoder(os.NewFile(orderFile, "orders"))
	var o order
	if err := lines.Decode(&o); err != nil || o.Begin == nil {
		return 1
	}
	f := &first{
		begin: *o.Begin, orders: ordersFrom(lines), report: json.NewEncoder(os.NewFile(reportFile, "reports")),
		exited: make(chan Exit, 1), nothing: make(chan struct{}),
	}
	step, err := f.start()
	if err != nil {
		f.tell(failure(step, err))
		return 1
	}
	f.tell(report{Started: f.main})
	go f.bury()
	f.last()
	return 0
}

// ordersFrom ends the channel with the file that lines are read from.
func ordersFrom(lines *json.Decoder) <-chan order {
	orders := make(chan order)
	go func() {
		defer close(orders)
		for {
			var o order
			if lines.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	return orders
}

// tell says something to somebody who may be gone.
func (f *first) tell(r report) { _ = f.report.Encode(r) }

// start sets everything up and starts the program. The step says what has failed.
func (f *first) start() (step string, err error) {
	b := &f.begin
	if b.Isolated {
		if step, err := b.view(); err != nil {
			return step, err
		}
	} else if err := reaper.Subreaper(); err != nil {
		return "becoming the parent of its orphans", err
	}
	if b.View.Confined && !b.View.Sudo && !b.Self {
		if err := giveUpPrivileges(); err != nil {
			return "giving up privileges", err
		}
	}
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if !b.Self {
		if err := passOnNothing(); err != nil {
			return "keeping its capabilities", err
		}
		attributes.Credential = &syscall.Credential{Uid: id(b.UID), Gid: id(b.GID)}
		for _, group := range b.Groups {
			attributes.Credential.Groups = append(attributes.Credential.Groups, id(group))
		}
	}
	unbind, err := bound(b.Tasks)
	if err != nil {
		return "bounding its processes", err
	}
	defer unbind()
	//nolint:gosec // the program is what it is for
	f.main, err = syscall.ForkExec(b.Argv[0], b.Argv, &syscall.ProcAttr{Dir: b.Dir, Env: b.Env, Files: []uintptr{0, 1, 2}, Sys: attributes})
	if err != nil {
		return itself, err
	}
	return "", nil
}

// id is the number of an account or a group, as the kernel takes it.
func id(n int) uint32 { return uint32(n) } //nolint:gosec // they come from the system's database and are not negative

// passOnNothing empties the set of capabilities that stays when the account changes: some managers of services and of containers have
// given this process one, and a program with capabilities of its own would get those of it.
func passOnNothing() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	return unix.Capset(&header, &sets[0])
}

// giveUpPrivileges has nothing that this thread starts gain any.
func giveUpPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		switch {
		case errors.Is(err, unix.EINVAL):
			return nil // the kernel knows no more
		case errors.Is(err, unix.EPERM):
			return nil // it says so of every one, also of those that there are not: a service or a container may not drop any
		case err != nil:
			return err
		}
	}
}

// bound bounds what the account of the next program may run: the kernel counts all processes of one account together, and
// root's not at all. It is inherited, as another process's limit can be set by few. Where this process has the same account,
// it gets its own back, and a program that wants to can do so too.
func bound(tasks int) (unbind func(), err error) {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &now); tasks <= 0 || err != nil {
		return func() {}, err
	}
	most := min(uint64(tasks), now.Cur)
	if os.Geteuid() == 0 {
		return func() {}, unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: most, Max: most})
	}
	return func() {
		_ = unix.Setrlimit(unix.RLIMIT_NPROC, &now) // it was so before
	}, unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: most, Max: now.Max})
}

// bury takes the exit statuses of all that ends, at once.
func (f *first) bury() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			close(f.nothing)
			return
		case pid != f.main:
		case status.Signaled():
			f.exited <- Exit{Code: -1, Signal: int(status.Signal())}
		default:
			f.exited <- Exit{Code: status.ExitStatus()}
		}
	}
}

// last waits for the end of the life, and brings it about.
func (f *first) last() {
	defer f.killAll()
	exit := Exit{}
	for over := false; !over; {
		select {
		case exit = <-f.exited:
			f.tell(report{Exit: &exit})
			over = true
		case o, told := <-f.orders:
			switch {
			case !told:
				f.alone()
				return
			case o.End:
				return
			case o.Interrupt:
				f.interrupt()
			}
		}
	}
	if slices.Contains(f.begin.Outlive, exit.Code) {
		f.outlive()
	}
}

// outlive lets what the program has left go on until the life is ended. When nobody is left to end it, it has its time.
func (f *first) outlive() {
	for {
		select {
		case o, told := <-f.orders:
			if !told {
				f.until(f.begin.OutliveTime, f.nothing)
			}
			if !told || o.End {
				return
			}
		case <-f.nothing:
			return
		}
	}
}

// interrupt asks the program to end. Its number is its own until it is buried, and a moment longer at most.
func (f *first) interrupt() { _ = unix.Kill(f.main, unix.SIGINT) }

// alone ends the life of a supervisor that was killed: the program may say goodbye.
func (f *first) alone() {
	f.interrupt()
	select {
	case exit := <-f.exited:
		if slices.Contains(f.begin.Outlive, exit.Code) {
			f.until(f.begin.OutliveTime, f.nothing)
		}
	case <-time.After(f.begin.Grace):
	}
}

func (f *first) until(most time.Duration, over <-chan struct{}) {
	select {
	case <-over:
	case <-time.After(most):
	}
}

// killAll ends what is left. The kernel does it where this is the first process of a namespace, as soon as it ends.
func (f *first) killAll() {
	if f.begin.Isolated {
		return
	}
	for range 3 {
		// Its children are buried by another goroutine, so what it counts is of no use.
		if _, err := reaper.EndDescendants(context.Background(), 0); err == nil {
			return
		}
	}
}
