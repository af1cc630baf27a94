package jail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd/transient"
)

// byUnit has a transient unit of systemd's for each life. Nobody of ours stays with it: systemd keeps the unit after its
// program has ended, and tells how that went.
type byUnit struct {
	folder string
	before string // the service of this process
	host   transient.Host
	log    *slog.Logger
}

func (m *byUnit) Name() string     { return Systemd }
func (m *byUnit) Weaker() []string { return nil }

func (m *byUnit) room(name string) room { return room{filepath.Join(m.folder, name)} }

func (m *byUnit) Start(ctx context.Context, spec Spec) (Life, error) {
	if err := m.EndStale(ctx, spec.Name); err != nil {
		return nil, err
	}
	at := m.room(spec.Name)
	view := spec.View
	view.HostTemp = true // systemd has its own for it
	if err := forgetBefore(spec); err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	if err := at.make(view, spec.User); err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	t, release, err := m.describe(spec, at)
	if err == nil {
		if err = spec.begins(0); err == nil {
			err = t.Start(ctx, m.host)
		}
		release()
	}
	if err != nil {
		return nil, errors.Join(refused(spec, err), at.discard())
	}
	life := &unitLife{unit: &transient.Handle{Name: spec.Name}, room: at, over: make(chan struct{}), rest: newRest()}
	if err := life.find(ctx); err != nil {
		err = &StartError{Program: spec.Argv[0], Step: "asking systemd for its process", Cause: err}
		return nil, errors.Join(err, life.unit.End(context.WithoutCancel(ctx)), at.discard())
	}
	go life.watch(context.WithoutCancel(ctx), m.log)
	return life, nil
}

// Prepare does nothing: systemd starts what is needed.
func (m *byUnit) Prepare(int) error { return nil }

func (m *byUnit) EndStale(ctx context.Context, name string) error {
	if err := (&transient.Handle{Name: name}).Stop(ctx); err != nil {
		return fmt.Errorf("ending what an earlier life of %q has left: %w", name, err)
	}
	return m.room(name).discard()
}

// describe is the unit of a spec. Environment and output are handed over as files of this process, which nobody but root can open
// by their numbers, and which are on no disk; release lets go of them.
func (m *byUnit) describe(spec Spec, at room) (t transient.Unit, release func(), err error) {
	text, err := transient.EnvironmentText(spec.Env)
	if err != nil {
		return t, nil, err
	}
	environment, err := inMemory("environment", text)
	if err != nil {
		return t, nil, fmt.Errorf("handing over the environment: %w", err)
	}
	release = func() { _ = environment.Close() } // it is in memory, and was read
	t = transient.Unit{
		Name: spec.Name, Description: spec.Description, Argv: spec.Argv, Directory: spec.Dir,
		UID: spec.User.UID, GID: spec.User.GID, Groups: spec.User.Groups, Nameless: spec.User.Name == "",
		Environment: ofThisProcess(environment), Before: m.before, Grace: spec.Grace, Outlive: spec.Outlive, Tasks: spec.Tasks,
		Confinement: confinement(spec.View, at),
	}
	if spec.Output != nil {
		t.Output = ofThisProcess(spec.Output)
	}
	return t, release, nil
}

// ofThisProcess is a file of this process by a name that root can open.
func ofThisProcess(file *os.File) string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())
}

// inMemory is a file on no disk.
func inMemory(name, text string) (*os.File, error) {
	number, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(number), name) //nolint:gosec // a file's number is not negative
	if _, err := file.WriteString(text); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// confinement is a view in systemd's words.
func confinement(v View, at room) transient.Confinement {
	c := transient.Confinement{
		Enabled: v.Confined, Writable: v.Writable, Hidden: effective(v), Home: v.Home,
		HostTemp: v.HostTemp, Sudo: v.Sudo, Docker: v.Docker, DBus: v.DBus,
	}
	if v.Home != "" && v.Fresh {
		c.HomeFrom = filepath.Join(at.path, ownHome)
	}
	return c
}

// effective are those of the hidden paths that are there, and would not be hidden without being named.
func effective(v View) []string {
	var paths []string
	for _, c := range changes(real(v.Hidden), real(v.kept()), nil) {
		if c.hide {
			paths = append(paths, c.path)
		}
	}
	return paths
}

// refused says in the words of this package why systemd did not start a program.
func refused(spec Spec, err error) error {
	var failed *transient.RefusedError
	if !errors.As(err, &failed) {
		return &StartError{Program: spec.Argv[0], Cause: err}
	}
	return &StartError{Program: spec.Argv[0], Step: strings.TrimSpace("systemd's " + failed.Step), Cause: failed}
}

// unitLife is a life in a transient unit.
type unitLife struct {
	unit   *transient.Handle
	room   room
	main   reaper.Process // none when it has ended before it was looked at
	over   chan struct{}
	exit   Exit
	ending sync.Mutex
	group  string // the unit's
	rest   rest
}

// find finds the program. A number that systemd has not buried is nobody else's.
func (l *unitLife) find(ctx context.Context) error {
	state, err := l.unit.Look(ctx)
	l.group = state.Group
	if err != nil || state.Exited || !state.Present {
		return err // the watch finds out how it ended
	}
	l.main, err = reaper.Look(state.PID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// watch waits for the end of the program.
func (l *unitLife) watch(ctx context.Context, log *slog.Logger) {
	defer close(l.over)
	if l.main.PID != 0 {
		l.main.Await()
	}
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		asking, cancel := context.WithTimeout(ctx, endTime)
		state, err := l.unit.Look(asking)
		cancel()
		switch {
		case err != nil: // systemd starts itself again, for example
			log.Warn("cannot ask systemd how a program has ended", "unit", l.unit.Name, "error", err)
		case !state.Present:
			l.exit = Exit{Code: -1} // somebody has stopped it, and systemd has forgotten how it ended
			return
		case state.Exited:
			l.exit = Exit{Code: state.Code, Signal: state.Signal}
			return
		}
		<-time.After(wait)
	}
}

func (l *unitLife) Main() reaper.Process { return l.main }

// Gone is found out by looking: the unit stays when its last process has ended.
func (l *unitLife) Gone() <-chan struct{} {
	return l.rest.gone(l.over, func() bool { return transient.Empty(l.group) })
}

func (l *unitLife) Interrupt() error {
	if l.main.PID == 0 {
		return nil // it has ended
	}
	if err := l.main.Signal(unix.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interrupting process %d: %w", l.main.PID, err)
	}
	return nil
}

func (l *unitLife) Wait() (Exit, error) {
	<-l.over
	return l.exit, nil
}

func (l *unitLife) End(ctx context.Context) error {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.main.PID != 0 {
		// Before the unit is forgotten, how its program has ended is to be known.
		if err := l.main.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("killing process %d: %w", l.main.PID, err)
		}
	}
	select {
	case <-l.over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := l.unit.End(ctx); err != nil {
		return err
	}
	l.rest.end()
	return l.room.discard()
}

var errNotRoot = errors.New("this process is not root")

// newByUnit is the way of systemd, where it has all that is needed.
func newByUnit(ctx context.Context, o Options) (*byUnit, error) {
	if !account.Privileged() {
		return nil, errNotRoot
	}
	host, err := transient.FindHost(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking systemd for units: %w", err)
	}
	return &byUnit{folder: o.Folder, before: o.Unit, host: host, log: o.Log}, nil
}
