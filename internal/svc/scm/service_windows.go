package scm

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

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Service is one service of this host, with the one that its jobs run in. Its methods may be repeated: a state that is already
// reached is success. It keeps nothing in memory that the host could contradict, so a new one may be made for every call.
type Service struct {
	unit    svc.Unit
	command string // empty when opened by name alone
}

// longestName is what the service manager takes.
const longestName = 256

// restartAfter is how long the service manager waits until it starts a service again that has ended without a word.
func restartAfter() []time.Duration {
	return []time.Duration{time.Second, 10 * time.Second, time.Minute}
}

// New checks every value of u and returns the service that it describes; the error is an [*svc.UnfitError]. It touches nothing.
func New(u svc.Unit) (*Service, error) {
	if err := svc.Check(u, `C:\a.exe`, validate); err != nil {
		return nil, err
	}
	return &Service{unit: u, command: commandLine(u.Executable, u.Args)}, nil
}

func validate(u svc.Unit) error {
	err := svc.CheckName(u.Name)
	for _, text := range append([]string{u.Description, u.Executable, u.Directory, u.Life.Name, u.Life.Account}, u.Args...) {
		err = errors.Join(err, svc.CheckText(text))
	}
	switch {
	case err != nil:
		return err
	case !filepath.IsAbs(u.Executable):
		return fmt.Errorf("executable %q: not an absolute path", u.Executable)
	case max(len(u.Name), len(u.Life.Name)) > longestName:
		return fmt.Errorf("name: longer than %d characters", longestName)
	}
	for _, word := range append([]string{u.Executable}, u.Args...) {
		if strings.Count(word, "%") > 1 { // and nothing keeps it from that
			return fmt.Errorf("%q: the service manager takes what is between percent signs for a variable", word)
		}
	}
	return nil
}

// Named returns the service of that name, to stop, remove or look at, when nothing else about it is known.
// Install on it is refused.
func Named(name string) (*Service, error) {
	if err := svc.CheckName(name); err != nil {
		return nil, fmt.Errorf("naming service %q: %w", name, err)
	}
	return &Service{unit: svc.Unit{Name: name, Life: svc.Life{Name: svc.LifeOf(name)}}}, nil
}

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
func (s *Service) State(context.Context) (svc.State, error) {
	now, err := Look(s.unit.Name)
	if errors.Is(err, ErrAbsent) {
		life := svc.LifeOf(s.unit.Name) // as an install may have left it; one that is not ours is not to be removed
		if held, err := Foreign(life, " "+commandLine(svc.HostWord, []string{life})); err == nil {
			return svc.State{Active: svc.Stopped, Detail: "stopped", UnitPath: svc.Path(life), Starts: held.Command}, nil
		}
		return svc.State{Active: svc.Absent, Detail: "absent"}, nil
	}
	if err != nil {
		return svc.State{}, refused(s.unit.Name, "looking at", err)
	}
	held, err := Describe(s.unit.Name)
	if errors.Is(err, ErrAbsent) {
		return svc.State{Active: svc.Absent, Detail: "absent"}, nil // in between
	}
	if err != nil {
		return svc.State{}, refused(s.unit.Name, "looking at", err)
	}
	state := svc.State{
		Installed: true, Enabled: held.Start == Automatic, MainPID: now.PID, UnitPath: svc.Path(s.unit.Name), Starts: held.Command,
	}
	state.Active, state.Detail = activeOf(now)
	state.ExitStatus = exitOf(now)
	state.AsDescribed = s.command != "" && held.Command == s.command && strings.EqualFold(held.Account, systemAccount) &&
		lifeAsDescribed(s.unit) && remembered(s.unit)
	return state, nil
}

// systemAccount is the account of services that name none.
const systemAccount = "LocalSystem"

// lifeAsDescribed tells whether the service of the jobs is as Install would make it.
func lifeAsDescribed(u svc.Unit) bool {
	life := u.Life
	held, err := Describe(svc.LifeOf(u.Name))
	if life.Name == "" {
		return errors.Is(err, ErrAbsent)
	}
	return err == nil && held.Command == commandLine(u.Executable, life.Args) && strings.EqualFold(held.Account, life.Account) &&
		held.Start == Manual
}

// activeOf is what a state of Windows' is called here. One that has ended with a number of Windows' own has failed; the service
// manager may start it again in a moment.
func activeOf(now Status) (svc.Active, string) {
	switch now.State {
	case winsvc.Stopped:
	case winsvc.StartPending, winsvc.ContinuePending:
		return svc.Starting, "start pending"
	case winsvc.StopPending, winsvc.PausePending:
		return svc.Stopping, "stop pending"
	case winsvc.Running, winsvc.Paused:
		return svc.Running, "running"
	}
	switch now.Exit {
	case 0, windows.ERROR_SERVICE_NEVER_STARTED:
		return svc.Stopped, "stopped"
	case windows.ERROR_SERVICE_SPECIFIC_ERROR:
		return svc.Failed, fmt.Sprintf("stopped with code %d", now.Code)
	default:
		return svc.Failed, fmt.Sprintf("stopped (%d: %v)", now.Exit, now.Exit)
	}
}

// exitOf is a number of this program's where it has left one, and 1 for every other end that was none.
func exitOf(now Status) int {
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
	return &svc.Error{Op: op, Unit: unit, Err: err}
}

// remove removes both services from the manager; they are at rest.
func remove(ctx context.Context, unit string) (changed bool, err error) {
	for _, name := range []string{svc.LifeOf(unit), unit} {
		was, err := Delete(ctx, name)
		changed = changed || was
		if err != nil {
			return changed, &svc.Error{Op: "removing", Unit: name, Err: err}
		}
		// The library has announced both.
		if err := refused(name, "removing", Renounce(name)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// Uninstall stops both services and removes them, and reports whether there was anything to remove.
func (s *Service) Uninstall(ctx context.Context) (changed bool, err error) {
	if err := s.Stop(ctx, svc.Gently); err != nil {
		return false, err
	}
	if err := Halt(ctx, svc.LifeOf(s.unit.Name), settle); err != nil {
		return false, &svc.Error{Op: "stopping", Unit: svc.LifeOf(s.unit.Name), Err: err}
	}
	return remove(ctx, s.unit.Name)
}

// Start starts the service. On success it runs; whether it stays is for State to say.
func (s *Service) Start(ctx context.Context) error {
	return refused(s.unit.Name, "starting", Start(ctx, s.unit.Name))
}

// Restart stops the service if it runs, and starts it, as Start does. If ctx ends before it has stopped, it goes on stopping, and
// nobody starts it again: the manager knows no restart. The error says so.
func (s *Service) Restart(ctx context.Context) error {
	err := s.Stop(ctx, svc.Gently)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; it goes on stopping, and is not started after that", err)
	}
	if err != nil {
		return err
	}
	return s.Start(ctx)
}

// settle is how long a service may take, on top of its own time, until it is at rest.
const settle = 10 * time.Second

// Stop stops the service and returns when it is at rest, or is not there. If ctx ends before, it goes on stopping. One that takes longer
// than its StopTimeout is killed, and so is, by Now, one that is stopping already, as it takes no other control then; with its process
// Windows ends all that it has started.
func (s *Service) Stop(ctx context.Context, how svc.StopMode) error {
	name := s.unit.Name
	now, err := Look(name)
	switch {
	case errors.Is(err, ErrAbsent):
		return nil
	case err != nil:
		return refused(name, "stopping", err)
	case how == svc.Now && now.State == winsvc.StopPending:
		return refused(name, "stopping", s.kill(ctx))
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if limit := stopTimeout(name); limit > 0 {
		limited, cancel = context.WithTimeout(ctx, limit+settle)
	}
	defer cancel()
	if how == svc.Now {
		err = Finish(limited, name, Now)
	} else {
		err = Stop(limited, name)
	}
	if limited.Err() != nil && ctx.Err() == nil {
		err = s.kill(ctx)
	}
	return refused(name, "stopping", err)
}

// kill ends the service by its process, and the manager does not start it again for that.
func (s *Service) kill(ctx context.Context) error {
	name := s.unit.Name
	_, err := Keep(name, Upkeep{NoRestart: true})
	if err == nil || errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) { // which is not started again
		err = Kill(name)
	}
	if err == nil {
		err = Stop(ctx, name)
	}
	_, again := Keep(name, Upkeep{Restart: restartAfter()})
	if errors.Is(again, ErrAbsent) || errors.Is(again, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		again = nil
	}
	return errors.Join(err, again)
}
