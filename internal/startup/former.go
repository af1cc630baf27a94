package startup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// UndoTime bounds what is put right after a failure, also when the user has interrupted or the time given is over.
const UndoTime = 30 * time.Second

// giveUpTime bounds what is put right after the user has interrupted, or the time
// given is over: systemd goes on with what it was asked for.
const giveUpTime = 3 * time.Second

// Former is the runner that an install has found at work. Where the install fails, it
// works as it did before.
type Former struct {
	Store  *instance.Store
	Log    *slog.Logger
	Record instance.Record // as it was found; without a name if there was none
	// Service is what an install has to stop or to change; nil as long as it has touched none. Ran is set where it was up.
	Service Service
	Ran     bool
	// undo gives what the service ran with its place again; see PutBack.
	undo []func() error
}

// RunAgain puts a service that ran before a failed install back to work, if there is
// still a registration for it, and says what is left otherwise. Owner is the account
// that the runner's files belong to.
func (f *Former) RunAgain(ctx context.Context, owner account.User, failed error) error {
	if !f.Ran {
		return failed
	}
	limit := UndoTime
	if ctx.Err() != nil {
		limit = giveUpTime
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if state, err := f.Service.State(undo); err == nil && state.Up() {
		return failed // the start of the service was not waited for to its end
	}
	if _, err := register.KeptOf(f.Store, f.Record).Settings(); err != nil {
		return &LeftError{Left: "the runner has left GitHub, and is stopped until install is run again", Cause: failed}
	}
	// Leaving begins with taking this away.
	if _, err := os.Lstat(filepath.Join(f.Record.Dir, serviceFile)); errors.Is(err, os.ErrNotExist) {
		if err := register.WriteFile(f.Record.Dir, serviceFile, []byte(svc.StockName(f.Record.Service)+"\n"), owner); err != nil {
			f.Log.Warn("cannot write the service's name", "runner", f.Record.Name, "error", err) // it is for GitHub's own scripts
		}
	}
	err := f.Service.Restart(undo)
	state, stateErr := f.Service.State(context.WithoutCancel(ctx))
	switch {
	case err == nil:
		return &LeftError{Left: "the runner goes on as before", Cause: failed}
	case stateErr == nil && (state.Up() || state.Active == svc.Stopping):
		return &LeftError{Left: "the runner goes on as before as soon as its service has come up", Cause: failed}
	}
	return &LeftError{Left: fmt.Sprintf("and its service %s is stopped: %v", f.Record.Service, errors.Join(err, stateErr)), Cause: failed}
}

// PutBack gives the unit that was there before its place again, where the new one does
// not come up, and has it run if it was up. Without an undo it was the same unit: nothing
// that was there before would come up.
func (f *Former) PutBack(ctx context.Context, service Service, up bool, undoInstall func(context.Context) error, failed error) error {
	f.Ran = false // what there is to say is said here
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

// RememberVariables has PutBack write the .env that there is now. What a job has put into its place is
// none. Without a service there is nothing that ran with it.
func (f *Former) RememberVariables(owner account.User) error {
	if f.Record.Service == "" {
		return nil
	}
	text, err := register.ReadEnvironment(f.Record.Dir)
	if err != nil {
		return err
	}
	kept, err := f.Store.KeptVariables(f.Record.Name)
	if err != nil {
		return err
	}
	f.undo = append(f.undo, func() error {
		return errors.Join(f.Store.KeepVariables(f.Record.Name, kept), register.WriteFile(f.Record.Dir, ".env", text, owner))
	})
	return nil
}

// RememberCredential has PutBack keep the credential that is kept now, or none.
func (f *Former) RememberCredential() error {
	if f.Record.Service == "" {
		return nil
	}
	kept, err := f.Store.KeptCredential(f.Record.Name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f.undo = append(f.undo, func() error {
		if kept == "" {
			return f.Store.DropCredential(f.Record.Name)
		}
		return f.Store.KeepCredential(f.Record.Name, secret.New(kept))
	})
	return nil
}

// Remember has PutBack undo something else that the service ran without. Without a service nothing ran.
func (f *Former) Remember(undo func() error) {
	if f.Record.Service != "" {
		f.undo = append(f.undo, undo)
	}
}

// liveAsBefore has the supervisor do what it did, with what it had: it reads the record when it starts, and its listener the
// variables. A registration that is another one by now stays.
func (f *Former) liveAsBefore(ctx context.Context) error {
	for _, undo := range f.undo {
		if err := undo(); err != nil {
			return err
		}
	}
	_, err := f.Store.Update(ctx, f.Record.Name, func(r *instance.Record) {
		r.Life, r.Credential, r.Environment, r.Source = f.Record.Life, f.Record.Credential, f.Record.Environment, f.Record.Source
		if f.Record.Phase == instance.Installed {
			r.Phase = instance.Installed
		}
	})
	return err
}
