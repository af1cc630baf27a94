package scm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/installer"
)

// Install brings the service, and that of its jobs, to what is wanted, and has it started at boot. It neither starts nor stops
// it: one that runs goes on as it was started. After a failure, what there was before is there again. One that somebody has deleted, and
// that has not gone yet, is stopped and made again; the error is [ErrMarked] where others keep it from going.
//
// A service that is new goes through kardianos/service. What that cannot say, how the service is stopped and started again, comes
// after it; one that is there is changed in its place, so that it is never gone.
func (s *Service) Install(ctx context.Context) (svc.Change, error) {
	if s.command == "" {
		return svc.Change{}, fmt.Errorf("installing service %q: only its name is known", s.unit.Name)
	}
	if err := s.letGo(ctx); err != nil {
		return svc.Change{}, err
	}
	state, err := s.State(ctx)
	if err != nil {
		return svc.Change{}, err
	}
	if state.AsDescribed && state.Enabled {
		return svc.Change{}, nil
	}
	undo, err := install(s.unit)
	if err != nil {
		return svc.Change{}, errors.Join(err, undo(context.WithoutCancel(ctx)))
	}
	change := svc.Change{Made: true}
	if state.Installed {
		change.Undo = undo
	}
	return change, nil
}

// letGo sees to it that a service is gone that was deleted.
func (s *Service) letGo(ctx context.Context) error {
	for _, name := range []string{s.unit.Name, svc.LifeOf(s.unit.Name)} {
		marked, err := Marked(name)
		if err == nil && marked {
			if err := s.Stop(ctx, svc.Gently); err != nil {
				return err
			}
			if err = Halt(ctx, name, settle); err == nil {
				err = gone(ctx, name)
			}
		}
		if err != nil {
			return refused(name, "installing", err)
		}
	}
	return nil
}

// install makes or changes both services. Undo takes back what it has done, also after a failure.
func install(u svc.Unit) (undo func(context.Context) error, err error) {
	var steps []func(context.Context) error
	undo = func(ctx context.Context) error {
		var failed error
		for i := len(steps) - 1; i >= 0; i-- {
			failed = errors.Join(failed, steps[i](ctx))
		}
		return failed
	}
	if before := recalled(u.Name); before != nil {
		limit := stopTimeout(u.Name)
		steps = append(steps, func(context.Context) error {
			_, err := Keep(u.Name, Upkeep{Shutdown: limit})
			return errors.Join(err, SetParameters(u.Name, before))
		})
	}
	for _, one := range ofUnit(u) {
		back, err := put(one)
		if back != nil {
			steps = append(steps, back)
		}
		if err != nil {
			return undo, &svc.Error{Op: "installing", Unit: one.Name, Err: err}
		}
	}
	if err = Announce(u.Name); err == nil {
		err = remember(u) // at last: without it the service is not as described, and all is done again
	}
	return undo, refused(u.Name, "installing", err)
}

// wanted is a service as it is to be.
type wanted struct {
	installer.Windows
	upkeep   Upkeep
	password func() (string, error)
}

// ofUnit are the services of a unit: its own, and that of its jobs.
func ofUnit(u svc.Unit) []wanted {
	all := []wanted{{
		Windows: installer.Windows{Name: u.Name, Description: u.Description, Executable: u.Executable, Args: u.Args, Automatic: true},
		upkeep:  Upkeep{Restart: restartAfter(), Shutdown: u.StopTimeout, OwnSID: true, Closed: true},
	}}
	if life := u.Life; life.Name != "" {
		all = append(all, wanted{
			Windows: installer.Windows{
				Name: life.Name, Description: "Jobs of " + u.Description + "; started by " + u.Name,
				Executable: u.Executable, Args: life.Args, Account: life.Account,
			},
			upkeep:   Upkeep{OwnSID: true, Closed: true, Privileges: jobPrivileges()},
			password: life.Password,
		})
	}
	return all
}

// jobPrivileges leaves the processes of jobs the one privilege that everybody has, to pass through folders. Windows gives services
// another one, to act as those who connect to them, and by that a job could get a process of the system to lend it its rights.
func jobPrivileges() []string { return []string{"SeChangeNotifyPrivilege"} }

// put makes a service, or changes the one that is there. Back takes that back; it is nil where nothing was done. An account that
// somebody else has given the service does not come back: its password is not known.
func put(w wanted) (back func(context.Context) error, err error) {
	command := commandLine(w.Executable, w.Args)
	held, err := Describe(w.Name)
	switch {
	case err == nil:
		back = func(context.Context) error { return Change(w.Name, held.Command, held.Start, "", "") }
		err = change(w, command, held.Account)
	case errors.Is(err, ErrAbsent):
		back = func(ctx context.Context) error {
			_, err := Delete(ctx, w.Name)
			return err
		}
		err = add(w)
	}
	if err == nil {
		_, err = Keep(w.Name, w.upkeep) // what this Windows does not know, it does without
	}
	return back, err
}

// change changes a service that is there, and has an account.
func change(w wanted, command, account string) (err error) {
	start := Manual
	if w.Automatic {
		start = Automatic
	}
	as := cmp.Or(w.Account, systemAccount)
	if strings.EqualFold(as, account) {
		return Change(w.Name, command, start, "", "")
	}
	if err := w.unlock(); err != nil {
		return err
	}
	return Change(w.Name, command, start, as, w.Password)
}

// unlock reads the password of an account that has one.
func (w *wanted) unlock() (err error) {
	if w.password != nil {
		w.Password, err = w.password()
	}
	return err
}

// add makes a service that is not there.
func add(w wanted) error {
	if err := w.unlock(); err != nil {
		return err
	}
	library, err := installer.OfWindows(w.Windows)
	if err != nil {
		return err
	}
	return library.Install()
}
