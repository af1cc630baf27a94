package bootstrap

import (
	"context"
	"errors"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// prepareToLeave asks GitHub for the tokens that leaving and joining again will take,
// before anything is changed: what it refuses now leaves the runner as it is.
func (i *installer) prepareToLeave(ctx context.Context) error {
	if i.mints() && i.ahead == nil {
		token, err := i.minter().Mint(ctx)
		if err != nil {
			return err
		}
		i.ahead = make(chan issued, 1)
		i.ahead <- issued{Token: token}
	}
	if byItsID(i.kept()) {
		return nil
	}
	var err error
	i.removal, err = i.client.RemoveToken(ctx)
	return err
}

// byItsID tells whether the registration is one that config.sh cannot take away: it was
// made by a just-in-time configuration.
func byItsID(kept register.Kept) bool {
	settings, err := kept.Settings()
	return err == nil && settings.URL == ""
}

// kept is the registration that is kept of the runner.
func (i *installer) kept() register.Kept { return register.KeptOf(i.host.Store, i.record) }

// usesConfig tells whether config.sh has a part in a registration, or in leaving what was kept before.
func usesConfig(d plan.Details, kept register.Kept) bool {
	joins := d.Request.JIT == nil && !d.Request.Identity.JIT
	return joins || d.LeaveFirst && !byItsID(kept)
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
	i.former.Service, i.former.Ran = service, state.Up()
	if err := service.Stop(ctx, svc.Gently); err != nil {
		return err
	}
	return plan.CheckAtRest(i.host.Store, i.plan.Name)
}

// leaveFirst clears the way: an earlier registration with other options, or one
// that an interrupted run left at GitHub.
func (i *installer) leaveFirst(ctx context.Context, room register.Room) error {
	if i.details.Abandoned != 0 {
		if err := register.DeleteByID(ctx, i.client, i.details.Abandoned); err != nil {
			return err
		}
		_, err := register.ProveGone(ctx, i.client, i.record, []int64{i.details.Abandoned})
		return err
	}
	if !i.details.LeaveFirst {
		return nil
	}
	record, err := i.host.Store.Load(i.plan.Name)
	if err != nil {
		return err
	}
	settings, err := i.kept().Settings()
	switch {
	case errors.Is(err, register.ErrNotConfigured):
		// Its supervisor was about to register it again, and GitHub may have heard of that.
		return leavePending(ctx, i, record)
	case err == nil && settings.URL == "":
		err = register.DeleteByID(ctx, i.client, settings.ID) // where it fails the registration is still good, and stays
		if err == nil {
			err = i.kept().Forget()
		}
	default:
		err = leaveByProgram(ctx, i, room)
	}
	if err != nil || !record.Renewing && len(record.PendingDeletes) == 0 {
		return err
	}
	return leavePending(ctx, i, record)
}

// leavePending takes away what a supervisor has left at GitHub beside the registration that is kept.
func leavePending(ctx context.Context, i *installer, record instance.Record) error {
	_, err := register.DeletePending(ctx, i.client, record) // the others of its name are for vacate
	return err
}

// leaveByProgram has the runner's own program take the registration away.
func leaveByProgram(ctx context.Context, i *installer, room register.Room) error {
	token := i.removal
	if !register.Lasts(token) { // a job was waited for
		var err error
		if token, err = i.client.RemoveToken(ctx); err != nil {
			return err
		}
	}
	return room.Leave(ctx, i.kept(), token.Value)
}

// joinedMeanwhile tells whether the runner's supervisor has registered it since the
// plan was made. Then that is what was wanted.
func (i *installer) joinedMeanwhile() (already bool, id int64, err error) {
	if i.details.LeaveFirst || i.details.Request.JIT != nil {
		return false, 0, nil
	}
	record, err := i.host.Store.Load(i.plan.Name)
	if err != nil || record.RunnerID == 0 || record.RunnerID == i.record.RunnerID || record.Renewing {
		return false, 0, err
	}
	settings, err := register.KeptOf(i.host.Store, record).Settings()
	if err != nil || settings.ID != record.RunnerID {
		return false, 0, nil //nolint:nilerr // what is kept is not that registration
	}
	// The registration is the supervisor's to say, and how the runner is kept from now on the plan's.
	record.Life, record.Credential = i.record.Life, i.record.Credential
	record.Environment, record.Source = i.record.Environment, i.record.Source
	i.record = record
	return true, record.RunnerID, nil
}

// identify notes what the runner is registered as. The jobs of one that stays have left what they liked in its directory, which is not
// for the job of one that does not stay.
func identify(record *instance.Record, identity instance.Identity) {
	if record.RunnerID != 0 && !record.Ephemeral && !record.JIT {
		record.Used = true
	}
	record.Identity = identity
}
