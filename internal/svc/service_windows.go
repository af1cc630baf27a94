package svc

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
	winsvc "golang.org/x/sys/windows/svc"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// Service is one service of this host, with the one that its jobs run in. Its methods may be repeated: a state that is already
// reached is success. It keeps nothing in memory that the host could contradict, so a new one may be made for every call.
type Service struct {
	unit    Unit
	command string // empty when opened by name alone
}

// longestName is what the service manager takes.
const longestName = 256

// restartAfter is how long the service manager waits until it starts a service again that has ended without a word.
func restartAfter() []time.Duration {
	return []time.Duration{time.Second, 10 * time.Second, time.Minute}
}

// New checks every value of u and returns the service that it describes. It touches nothing.
func New(u Unit) (*Service, error) {
	err := validateName(u.Name)
	for _, text := range append([]string{u.Description, u.Executable, u.Directory, u.Life.Name, u.Life.Account}, u.Args...) {
		err = errors.Join(err, validateText(text))
	}
	if err == nil && !filepath.IsAbs(u.Executable) {
		err = fmt.Errorf("executable %q: not an absolute path", u.Executable)
	}
	if err == nil && max(len(u.Name), len(u.Life.Name)) > longestName {
		err = fmt.Errorf("name: longer than %d characters", longestName)
	}
	if err != nil {
		return nil, fmt.Errorf("describing service %q: %w", u.Name, err)
	}
	return &Service{unit: u, command: commandLine(u.Executable, u.Args)}, nil
}

// Named returns the service of that name, to stop, remove or look at, when nothing else about it is known.
// Install on it is refused.
func Named(name string) (*Service, error) {
	if err := validateName(name); err != nil {
		return nil, fmt.Errorf("naming service %q: %w", name, err)
	}
	return &Service{unit: Unit{Name: name, Life: Life{Name: LifeOf(name)}}}, nil
}

// LifeOf is the name of the service that the jobs of another one run in.
func LifeOf(name string) string { return name + ".host" }

func commandLine(executable string, args []string) string {
	words := []string{syscall.EscapeArg(executable)}
	for _, arg := range args {
		words = append(words, syscall.EscapeArg(arg))
	}
	return strings.Join(words, " ")
}

// Text returns the command line of the service as Install has it; empty for a service opened by [Named].
func (s *Service) Text() string { return s.command }

// State asks the service manager. A service that it does not know is a State too, not an error.
func (s *Service) State(context.Context) (State, error) {
	now, err := scm.Look(s.unit.Name)
	if errors.Is(err, scm.ErrAbsent) {
		life := LifeOf(s.unit.Name) // as an install may have left it; one that is not ours is not to be removed
		if held, err := scm.Foreign(life, " "+commandLine(HostWord, []string{life})); err == nil {
			return State{Active: Stopped, Detail: "stopped", UnitPath: Path(life), Starts: held.Command}, nil
		}
		return State{Active: Absent, Detail: "absent"}, nil
	}
	if err != nil {
		return State{}, refused(s.unit.Name, "looking at", err)
	}
	held, err := scm.Describe(s.unit.Name)
	if errors.Is(err, scm.ErrAbsent) {
		return State{Active: Absent, Detail: "absent"}, nil // in between
	}
	if err != nil {
		return State{}, refused(s.unit.Name, "looking at", err)
	}
	state := State{Installed: true, Enabled: held.Automatic, MainPID: now.PID, UnitPath: Path(s.unit.Name), Starts: held.Command}
	state.Active, state.Detail = activeOf(now)
	state.ExitStatus = exitOf(now)
	state.AsDescribed = s.command != "" && held.Command == s.command && lifeAsDescribed(s.unit) && noted(s.unit)
	return state, nil
}

// lifeAsDescribed tells whether the service of the jobs is as Install would make it.
func lifeAsDescribed(u Unit) bool {
	life := u.Life
	held, err := scm.Describe(LifeOf(u.Name))
	if life.Name == "" {
		return errors.Is(err, scm.ErrAbsent)
	}
	return err == nil && held.Command == commandLine(u.Executable, life.Args) && strings.EqualFold(held.Account, life.Account)
}

// activeOf is what a state of Windows' is called here. One that has ended with a number of Windows' own has failed; the service
// manager may start it again in a moment.
func activeOf(now scm.Status) (Active, string) {
	switch now.State {
	case winsvc.Stopped:
	case winsvc.StartPending, winsvc.ContinuePending:
		return Starting, "start pending"
	case winsvc.StopPending, winsvc.PausePending:
		return Stopping, "stop pending"
	case winsvc.Running, winsvc.Paused:
		return Running, "running"
	}
	switch now.Exit {
	case 0, windows.ERROR_SERVICE_NEVER_STARTED:
		return Stopped, "stopped"
	case windows.ERROR_SERVICE_SPECIFIC_ERROR:
		return Failed, fmt.Sprintf("stopped with code %d", now.Code)
	default:
		return Failed, fmt.Sprintf("stopped (%d: %v)", now.Exit, now.Exit)
	}
}

// exitOf is a number of this program's where it has left one, and 1 for every other end that was none.
func exitOf(now scm.Status) int {
	switch {
	case now.State != winsvc.Stopped, now.Exit == 0, now.Exit == windows.ERROR_SERVICE_NEVER_STARTED:
		return 0
	case now.Exit == windows.ERROR_SERVICE_SPECIFIC_ERROR:
		return now.Code
	default:
		return 1
	}
}

func refused(unit, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Unit: unit, Err: err}
}

// remove removes both services from the manager; they are at rest.
func remove(ctx context.Context, unit string) (changed bool, err error) {
	for _, name := range []string{LifeOf(unit), unit} {
		was, err := scm.Delete(ctx, name)
		changed = changed || was
		if err != nil {
			return changed, &Error{Op: "removing", Unit: name, Err: err}
		}
		// The library has announced both.
		if err := refused(name, "removing", scm.Renounce(name)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// Uninstall stops both services and removes them, and reports whether there was anything to remove.
func (s *Service) Uninstall(ctx context.Context) (changed bool, err error) {
	if err := s.Stop(ctx, Gently); err != nil {
		return false, err
	}
	if err := scm.Stop(ctx, LifeOf(s.unit.Name)); err != nil {
		return false, &Error{Op: "stopping", Unit: LifeOf(s.unit.Name), Err: err}
	}
	return remove(ctx, s.unit.Name)
}

// Start starts the service. On success it runs; whether it stays is for State to say.
func (s *Service) Start(ctx context.Context) error {
	return refused(s.unit.Name, "starting", scm.Start(ctx, s.unit.Name))
}

// Restart stops the service if it runs, and starts it, as Start does.
func (s *Service) Restart(ctx context.Context) error {
	if err := s.Stop(ctx, Gently); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Stop stops the service and returns when it is at rest, or is not there. If ctx ends before, it goes on stopping. One that
// is stopping already takes no other control: Now then ends its process, and with it all that it has started.
func (s *Service) Stop(ctx context.Context, how StopMode) error {
	if how == Gently {
		return refused(s.unit.Name, "stopping", scm.Stop(ctx, s.unit.Name))
	}
	now, err := scm.Look(s.unit.Name)
	switch {
	case errors.Is(err, scm.ErrAbsent):
		return nil
	case err == nil && now.State == winsvc.StopPending:
		err = scm.Kill(s.unit.Name)
	}
	if err == nil {
		err = scm.Finish(ctx, s.unit.Name, scm.Now)
	}
	return refused(s.unit.Name, "stopping", err)
}
