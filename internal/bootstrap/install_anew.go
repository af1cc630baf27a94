package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// giveUpTime bounds what is put right after the user has interrupted, or the time
// given is over: systemd goes on with what it was asked for.
const giveUpTime = 3 * time.Second

// former is the service that an install has found, and has to stop or to change.
type former struct {
	service Service // nil: there was none
	ran     bool
}

// prepareToLeave asks GitHub for the tokens that leaving and joining again will take,
// before anything is changed: what it refuses now leaves the runner as it is.
func (i *installer) prepareToLeave(ctx context.Context) error {
	if i.mints() && i.ahead == nil {
		token, err := i.joiner().Mint(ctx)
		if err != nil {
			return err
		}
		i.ahead = make(chan issued, 1)
		i.ahead <- issued{Token: token}
	}
	if byItsID(i.plan.Dir) {
		return nil
	}
	var err error
	i.removal, err = i.client.RemoveToken(ctx)
	return err
}

// byItsID tells whether the registration is one that config.sh cannot take away: it was
// made by a just-in-time configuration.
func byItsID(dir string) bool {
	settings, err := register.ReadSettings(dir)
	return err == nil && settings.URL == ""
}

// stopFirst stops a service whose runner is to leave GitHub, or is to become another one. That comes before the
// registration's lock, which its supervisor may want while it ends.
func (i *installer) stopFirst(ctx context.Context) error {
	if i.record.Service == "" {
		return nil
	}
	service, err := i.host.Services.Named(i.record.Service)
	if err != nil {
		return err
	}
	state, err := service.State(ctx)
	if err != nil {
		return err
	}
	i.former = former{service: service, ran: state.Up()}
	if err := service.Stop(ctx, svc.Gently); err != nil {
		return err
	}
	return atWork(i.host.Store, i.plan.Name)
}

// leaveFirst clears the way: an earlier registration with other options, or one
// that an interrupted run left at GitHub.
func (i *installer) leaveFirst(ctx context.Context, runner register.Runner) error {
	if i.ghost != 0 {
		if err := register.DeleteByID(ctx, i.client, i.ghost); err != nil {
			return err
		}
		_, err := register.ProveGone(ctx, i.client, i.record, []int64{i.ghost})
		return err
	}
	if !i.leave {
		return nil
	}
	if settings, err := register.ReadSettings(i.plan.Dir); err == nil && settings.URL == "" {
		if err := register.DeleteByID(ctx, i.client, settings.ID); err != nil {
			return err // the registration is still good, and stays
		}
		return register.Forget(i.plan.Dir)
	}
	token := i.removal
	if !register.Lasts(token) { // a job was waited for
		var err error
		if token, err = i.client.RemoveToken(ctx); err != nil {
			return err
		}
	}
	return runner.Leave(ctx, token.Value)
}

// runAgain puts a service that ran before a failed install back to work, if there is
// still a registration for it, and says what is left otherwise.
func (i *installer) runAgain(ctx context.Context, failed error) error {
	if !i.former.ran {
		return failed
	}
	limit := undoTime
	if ctx.Err() != nil {
		limit = giveUpTime
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if state, err := i.former.service.State(undo); err == nil && state.Up() {
		return failed // the start of the service was not waited for to its end
	}
	if _, err := register.ReadSettings(i.plan.Dir); err != nil {
		return &LeftError{Left: "the runner has left GitHub, and is stopped until install is run again", Cause: failed}
	}
	// Leaving begins with taking this away.
	if _, err := os.Lstat(filepath.Join(i.plan.Dir, serviceFile)); errors.Is(err, os.ErrNotExist) {
		if err := register.WriteFile(i.plan.Dir, serviceFile, []byte(svc.StockName(i.record.Service)+"\n"), i.jobUser); err != nil {
			i.host.Log.Warn("writing the service's name", "runner", i.plan.Name, "error", err) // it is for GitHub's own scripts
		}
	}
	err := i.former.service.Restart(undo)
	state, stateErr := i.former.service.State(context.WithoutCancel(ctx))
	switch {
	case err == nil:
		return &LeftError{Left: "the runner goes on as before", Cause: failed}
	case stateErr == nil && (state.Up() || state.Active == svc.Stopping):
		return &LeftError{Left: "the runner goes on as before as soon as its service has come up", Cause: failed}
	}
	return &LeftError{Left: fmt.Sprintf("and its service %s is stopped: %v", i.record.Service, errors.Join(err, stateErr)), Cause: failed}
}

// putBack gives the unit that was there before its place again, where the new one does
// not come up, and has it run if it ran. Without an undo it was the same unit: nothing
// that was there before would come up.
func (i *installer) putBack(ctx context.Context, before svc.State, undoInstall func(context.Context) error, failed error) error {
	i.former = former{} // what there is to say is said here
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime+unitStop(i.record))
	defer cancel()
	if undoInstall == nil && len(i.undo) == 0 {
		return failed // the same as before: that would not come up either
	}
	if undoInstall != nil {
		if err := undoInstall(undo); err != nil {
			return &LeftError{Left: fmt.Sprintf("and its unit before could not be put back: %v", err), Cause: failed}
		}
	}
	if err := i.liveAsBefore(undo); err != nil {
		return &LeftError{Left: fmt.Sprintf("its unit is as before, and what it runs with could not be: %v", err), Cause: failed}
	}
	if !before.Up() {
		return &LeftError{Left: "its unit is as before", Cause: failed}
	}
	if err := i.service.Restart(undo); err != nil {
		return &LeftError{Left: fmt.Sprintf("its unit is as before, and does not start either: %v", err), Cause: failed}
	}
	return &LeftError{Left: "its unit is as before, and runs", Cause: failed}
}

// rememberVariables has putBack write the .env that there is now. Without a registration
// there is nothing that ran with it.
func (i *installer) rememberVariables() error {
	if i.was.Service == "" {
		return nil
	}
	text, err := register.ReadFile(i.plan.Dir, ".env")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the runner's .env: %w", err)
	}
	kept, err := i.host.Store.KeptVariables(i.plan.Name)
	if err != nil {
		return err
	}
	i.undo = append(i.undo, func() error {
		return errors.Join(i.host.Store.KeepVariables(i.plan.Name, kept), register.WriteFile(i.plan.Dir, ".env", text, i.jobUser))
	})
	return nil
}

// rememberCredential has putBack keep the credential that is kept now, or none.
func (i *installer) rememberCredential() error {
	if i.was.Service == "" {
		return nil
	}
	kept, err := i.host.Store.KeptCredential(i.plan.Name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	i.undo = append(i.undo, func() error {
		if kept == "" {
			return i.host.Store.DropCredential(i.plan.Name)
		}
		return i.host.Store.KeepCredential(i.plan.Name, github.NewSecret(kept))
	})
	return nil
}

// liveAsBefore has the supervisor do what it did, with what it had: it reads the record when it starts, and its listener the
// variables. A registration that is another one by now stays.
func (i *installer) liveAsBefore(ctx context.Context) error {
	for _, undo := range i.undo {
		if err := undo(); err != nil {
			return err
		}
	}
	_, err := i.host.Store.Update(ctx, i.plan.Name, func(r *instance.Record) {
		r.Life, r.Credential, r.Environment, r.Source = i.was.Life, i.was.Credential, i.was.Environment, i.was.Source
		if i.was.Phase == instance.Installed {
			r.Phase = instance.Installed
		}
	})
	return err
}
