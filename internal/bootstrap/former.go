package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// giveUpTime bounds what is put right after the user has interrupted, or the time
// given is over: systemd goes on with what it was asked for.
const giveUpTime = 3 * time.Second

// former is the runner that an install has found at work. Where the install fails, it
// works as it did before.
type former struct {
	store  *instance.Store
	log    *slog.Logger
	record instance.Record // as it was found; without a name if there was none
	// service is what an install has to stop or to change; nil as long as it has touched none.
	service Service
	ran     bool
	// undo gives what the service ran with its place again; see putBack.
	undo []func() error
}

// runAgain puts a service that ran before a failed install back to work, if there is
// still a registration for it, and says what is left otherwise. Owner is the account
// that the runner's files belong to.
func (f *former) runAgain(ctx context.Context, owner account.User, failed error) error {
	if !f.ran {
		return failed
	}
	limit := undoTime
	if ctx.Err() != nil {
		limit = giveUpTime
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if state, err := f.service.State(undo); err == nil && state.Up() {
		return failed // the start of the service was not waited for to its end
	}
	if _, err := register.KeptOf(f.store, f.record).Settings(); err != nil {
		return &LeftError{Left: "the runner has left GitHub, and is stopped until install is run again", Cause: failed}
	}
	// Leaving begins with taking this away.
	if _, err := os.Lstat(filepath.Join(f.record.Dir, serviceFile)); errors.Is(err, os.ErrNotExist) {
		if err := register.WriteFile(f.record.Dir, serviceFile, []byte(svc.StockName(f.record.Service)+"\n"), owner); err != nil {
			f.log.Warn("cannot write the service's name", "runner", f.record.Name, "error", err) // it is for GitHub's own scripts
		}
	}
	err := f.service.Restart(undo)
	state, stateErr := f.service.State(context.WithoutCancel(ctx))
	switch {
	case err == nil:
		return &LeftError{Left: "the runner goes on as before", Cause: failed}
	case stateErr == nil && (state.Up() || state.Active == svc.Stopping):
		return &LeftError{Left: "the runner goes on as before as soon as its service has come up", Cause: failed}
	}
	return &LeftError{Left: fmt.Sprintf("and its service %s is stopped: %v", f.record.Service, errors.Join(err, stateErr)), Cause: failed}
}

// putBack gives the unit that was there before its place again, where the new one does
// not come up, and has it run if it was up. Without an undo it was the same unit: nothing
// that was there before would come up.
func (f *former) putBack(ctx context.Context, service Service, up bool, undoInstall func(context.Context) error, failed error) error {
	f.ran = false // what there is to say is said here
	if undoInstall == nil && len(f.undo) == 0 {
		return failed // the same as before: that would not come up either
	}
	if undoInstall != nil {
		if err := undoInstall(ctx); err != nil {
			return &LeftError{Left: fmt.Sprintf("and its %s before could not be put back: %v", svc.Noun, err), Cause: failed}
		}
	}
	if err := f.liveAsBefore(ctx); err != nil {
		return &LeftError{Left: fmt.Sprintf("its %s is as before, and what it runs with could not be: %v", svc.Noun, err), Cause: failed}
	}
	if !up {
		return &LeftError{Left: "its " + svc.Noun + " is as before", Cause: failed}
	}
	if err := service.Restart(ctx); err != nil {
		return &LeftError{Left: fmt.Sprintf("its %s is as before, and does not start either: %v", svc.Noun, err), Cause: failed}
	}
	return &LeftError{Left: "its " + svc.Noun + " is as before, and runs", Cause: failed}
}

// rememberVariables has putBack write the .env that there is now. What a job has put into its place is
// none. Without a service there is nothing that ran with it.
func (f *former) rememberVariables(owner account.User) error {
	if f.record.Service == "" {
		return nil
	}
	text, err := register.ReadEnvironment(f.record.Dir)
	if err != nil {
		return err
	}
	kept, err := f.store.KeptVariables(f.record.Name)
	if err != nil {
		return err
	}
	f.undo = append(f.undo, func() error {
		return errors.Join(f.store.KeepVariables(f.record.Name, kept), register.WriteFile(f.record.Dir, ".env", text, owner))
	})
	return nil
}

// rememberCredential has putBack keep the credential that is kept now, or none.
func (f *former) rememberCredential() error {
	if f.record.Service == "" {
		return nil
	}
	kept, err := f.store.KeptCredential(f.record.Name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f.undo = append(f.undo, func() error {
		if kept == "" {
			return f.store.DropCredential(f.record.Name)
		}
		return f.store.KeepCredential(f.record.Name, github.NewSecret(kept))
	})
	return nil
}

// liveAsBefore has the supervisor do what it did, with what it had: it reads the record when it starts, and its listener the
// variables. A registration that is another one by now stays.
func (f *former) liveAsBefore(ctx context.Context) error {
	for _, undo := range f.undo {
		if err := undo(); err != nil {
			return err
		}
	}
	_, err := f.store.Update(ctx, f.record.Name, func(r *instance.Record) {
		r.Life, r.Credential, r.Environment, r.Source = f.record.Life, f.record.Credential, f.record.Environment, f.record.Source
		if f.record.Phase == instance.Installed {
			r.Phase = instance.Installed
		}
	})
	return err
}
