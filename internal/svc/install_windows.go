package svc

import (
	"context"
	"errors"
	"fmt"

	"github.com/kardianos/service"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// Install brings the service, and that of its jobs, to what is wanted, and has it started at boot. It neither starts nor stops
// it: one that runs goes on as it was started. After a failure, what there was before is there again.
//
// A service that is new goes through kardianos/service. What that cannot say, how the service is stopped and started again, comes
// after it; one that is there is changed in its place, so that it is never gone.
func (s *Service) Install(ctx context.Context) (Change, error) {
	if s.command == "" {
		return Change{}, fmt.Errorf("installing service %q: only its name is known", s.unit.Name)
	}
	state, err := s.State(ctx)
	if err != nil {
		return Change{}, err
	}
	if state.AsDescribed && state.Enabled {
		return Change{}, nil
	}
	undo, err := install(s.unit)
	if err != nil {
		return Change{}, errors.Join(err, undo(context.WithoutCancel(ctx)))
	}
	change := Change{Made: true}
	if state.Installed {
		change.Undo = undo
	}
	return change, nil
}

// install makes or changes both services. Undo takes back what it has done, also after a failure.
func install(u Unit) (undo func(context.Context) error, err error) {
	var steps []func(context.Context) error
	undo = func(ctx context.Context) error {
		var failed error
		for i := len(steps) - 1; i >= 0; i-- {
			failed = errors.Join(failed, steps[i](ctx))
		}
		return failed
	}
	for _, one := range ofUnit(u) {
		back, err := put(one)
		if back != nil {
			steps = append(steps, back)
		}
		if err != nil {
			return undo, &Error{Op: "installing", Unit: one.config.Name, Err: err}
		}
	}
	if err = note(u); err == nil {
		err = scm.Announce(u.Name)
	}
	return undo, refused(u.Name, "installing", err)
}

// wanted is a service as it is to be.
type wanted struct {
	config   service.Config
	upkeep   scm.Upkeep
	password func() (string, error)
}

// ofUnit are the services of a unit: its own, and that of its jobs.
func ofUnit(u Unit) []wanted {
	all := []wanted{{
		config: service.Config{
			Name: u.Name, DisplayName: u.Name, Description: u.Description, Executable: u.Executable, Arguments: u.Args,
			Option: service.KeyValue{service.StartType: service.ServiceStartAutomatic},
		},
		upkeep: scm.Upkeep{Restart: restartAfter(), Shutdown: u.StopTimeout, OwnSID: true},
	}}
	if life := u.Life; life.Name != "" {
		all = append(all, wanted{
			config: service.Config{
				Name: life.Name, DisplayName: life.Name, Description: "Jobs of " + u.Description + "; started by " + u.Name,
				Executable: u.Executable, Arguments: life.Args, UserName: life.Account,
				Option: service.KeyValue{service.StartType: service.ServiceStartManual},
			},
			upkeep:   scm.Upkeep{OwnSID: true, Privileges: jobPrivileges()},
			password: life.Password,
		})
	}
	return all
}

// jobPrivileges leaves the processes of jobs the one privilege that everybody has, to pass through folders. Windows gives services
// another one, to act as those who connect to them, and by that a job could get a process of the system to lend it its rights.
func jobPrivileges() []string { return []string{"SeChangeNotifyPrivilege"} }

// put makes a service, or changes the one that is there: its account stays. Back takes that back; it is nil where nothing was done.
func put(w wanted) (back func(context.Context) error, err error) {
	name := w.config.Name
	command := commandLine(w.config.Executable, w.config.Arguments)
	automatic := w.config.Option[service.StartType] == service.ServiceStartAutomatic
	held, err := scm.Describe(name)
	switch {
	case err == nil:
		back = func(context.Context) error { return scm.Change(name, held.Command, held.Automatic) }
		err = scm.Change(name, command, automatic)
	case errors.Is(err, scm.ErrAbsent):
		back = func(ctx context.Context) error {
			_, err := scm.Delete(ctx, name)
			return err
		}
		err = create(w)
	}
	if err == nil {
		_, err = scm.Keep(name, w.upkeep) // what this Windows does not know, it does without
	}
	return back, err
}

func create(w wanted) error {
	if w.password != nil {
		password, err := w.password()
		if err != nil {
			return err
		}
		w.config.Option["Password"] = password
	}
	library, err := service.New(nil, &w.config)
	if err != nil {
		return err
	}
	return library.Install()
}
