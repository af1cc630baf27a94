package bootstrap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Removal says how a runner is to be taken away.
type Removal struct {
	Name  string
	Force bool // even while it runs a job
	// SkipGitHub leaves the runner listed there.
	SkipGitHub bool
	// RemoveToken was minted elsewhere; empty: minted here. It alone does for a
	// runner that config.sh has registered, but then nothing can be proven.
	RemoveToken secret.Secret
}

// Uninstall walks back: it stops the runner, removes its service, takes it away
// from GitHub and proves that, and removes its files and its record. What is
// gone already is done. It may be repeated, and continues where it was
// interrupted. Before anything is changed GitHub is asked once, so that a wrong
// credential or a running job leaves everything as it is.
func (h *Host) Uninstall(ctx context.Context, r Removal) error {
	lock, err := h.Store.LockHost(ctx)
	if err != nil {
		return err
	}
	defer h.unlock(lock)
	if err := h.sweepRooms(ctx); err != nil {
		return err
	}
	record, err := h.Store.Load(r.Name)
	if err != nil {
		return err
	}
	u := &uninstaller{host: h, removal: r, record: record, lock: lock}
	if err := h.Machine.Check(ctx, record); err != nil {
		return u.removeCopy(ctx, err)
	}
	object := fmt.Sprintf("%s at %s", record.Name, record.ScopeURL)
	// GitHub is asked next, by the record's id.
	if err := u.kept().Adopt(ctx, nil); err != nil {
		return err
	}
	if err := u.look(ctx); err != nil {
		return err
	}
	stopped, err := u.mark(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		phase  plan.Phase
		object string
		do     func(context.Context) (string, error)
	}{
		{plan.StopPhase, record.Name, u.stop},
		{plan.ServicePhase, record.Service, u.removeService},
		{plan.DeregisterPhase, object, u.deregister},
		{plan.RemovePhase, record.Dir, u.removeFiles},
	} {
		if step.object == "" || stopped && step.phase == plan.StopPhase {
			continue
		}
		if err := h.phase(step.phase, step.object, func() (string, error) { return step.do(ctx) }); err != nil {
			return u.leftBy(step.phase, err)
		}
	}
	return nil
}

// leftBy says how far an uninstall has come that failed in a phase.
func (u *uninstaller) leftBy(phase plan.Phase, err error) error {
	if phase == plan.StopPhase {
		return err // systemd may go on stopping it; nothing is removed
	}
	return &startup.LeftError{Left: "the runner is stopped, and uninstall goes on from here when it is run again", Cause: err}
}

// uninstaller takes one runner away.
type uninstaller struct {
	host    *Host
	removal Removal
	record  instance.Record
	lock    *instance.Lock
	// registration is held while the runner leaves GitHub.
	registration *instance.Lock
	client       *github.Client
	id           int64 // at GitHub; 0 if it was never registered
	configured   bool  // config.sh made the registration on disk, so it can take it away
	listed       bool  // GitHub lists it, as far as we know
	never        bool  // this host has not registered it
	// elsewhere is set when another machine listens as this runner.
	elsewhere bool
	// stopped is set when it no longer matters whether it runs a job.
	stopped bool
}

// kept is the registration that is kept of the runner.
func (u *uninstaller) kept() register.Kept { return register.KeptOf(u.host.Store, u.record) }

func (u *uninstaller) stop(ctx context.Context) (string, error) {
	if u.record.Service != "" {
		service, err := u.host.Services.Named(u.record.Service)
		if err != nil {
			return "", err
		}
		how := svc.Gently
		if u.removal.Force {
			how = svc.Now
		}
		if err := service.Stop(ctx, how); err != nil {
			return "", err
		}
	}
	// The supervisor in the foreground, or of a service that is not there.
	agent, err := u.host.Store.Running(u.removal.Name)
	if err != nil || agent.None() {
		return "stopped", err
	}
	return "stopped " + agent.String(), u.stopAgent(ctx, agent)
}

func (u *uninstaller) stopAgent(ctx context.Context, agent instance.Holder) error {
	command := control.Stop
	if u.removal.Force {
		command = control.StopNow
	}
	if err := tell(ctx, u.record, agent, command); err != nil {
		return fmt.Errorf("stopping %v: %w", agent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, plan.StopTimeout(u.record))
	defer cancel()
	for {
		now, err := u.host.Store.Running(u.removal.Name)
		if err != nil || now != agent {
			return err
		}
		if err := retry.Sleep(ctx, lookEach); err != nil {
			return fmt.Errorf("stopping %v: %w", agent, err)
		}
	}
}

// deregister takes the runner away from GitHub: with a remove token, as the runner's own
// program does it, run from the cache, or by id where that is not in the cache, fails or does
// not end. Then GitHub's list is the proof.
func (u *uninstaller) deregister(ctx context.Context) (string, error) {
	lock, err := u.host.Store.LockRegistration(ctx, u.removal.Name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	u.registration = lock
	if err := u.lookAgain(ctx); err != nil {
		return "", err
	}
	if u.removal.SkipGitHub {
		return fmt.Sprintf("GitHub was not told (--local), id %d may still be listed there", u.id), u.kept().Forget()
	}
	if u.elsewhere {
		return leftElsewhere(u), u.kept().Forget()
	}
	if u.never {
		return u.neverRegistered(ctx), nil
	}
	how := "gone already"
	var gone []int64
	if u.listed {
		var err error
		if how, err = u.leave(ctx); err != nil {
			return "", err
		}
		gone = append(gone, u.id)
	}
	if u.client == nil {
		return how + ", GitHub was not asked for the proof", u.kept().Forget()
	}
	others, err := register.DeletePending(ctx, u.client, u.owing(), gone...)
	if err != nil {
		return "", err
	}
	register.WarnOfOthers(u.host.Log, u.record.Name, others)
	u.host.tellOnce(u.record, health.EventDeregistered)
	return how + ", GitHub no longer lists it", u.kept().Forget()
}

// neverRegistered asks all the same, where it can, whether GitHub lists a runner of
// this name. It is not this host's, so that no answer stops its removal here.
func (u *uninstaller) neverRegistered(ctx context.Context) string {
	const never = "this host has not registered it"
	if u.client == nil {
		return never + "; GitHub was not asked"
	}
	others, err := u.client.Runners(ctx, u.record.Name)
	if err != nil {
		u.host.Log.Warn("GitHub could not be asked whether it lists a runner of this name", "runner", u.removal.Name, "error", err)
		return never + "; GitHub was not asked"
	}
	register.WarnOfOthers(u.host.Log, u.record.Name, others)
	if len(others) > 0 {
		return never
	}
	return never + ", GitHub lists none of its name"
}

func (u *uninstaller) leave(ctx context.Context) (string, error) {
	asset, cached := u.host.cached(u.record)
	if u.configured && (cached || u.client == nil) {
		token, err := u.removeToken(ctx)
		if err != nil {
			return "", err
		}
		err = u.host.room(u.record, asset, u.lock, u.registration).Leave(ctx, u.kept(), token)
		if err == nil {
			return "removed by " + register.Program, nil
		}
		if ctx.Err() != nil || u.client == nil {
			return "", register.About(err, u.record.ScopeURL)
		}
		u.host.Log.Warn("the runner's own program could not remove it, deleting it by its id",
			"program", register.Program, "runner", u.removal.Name, "error", err)
	}
	return "deleted by id", register.DeleteByID(ctx, u.client, u.id)
}

// owing is the record with the runners that this one's supervisor could not take
// away in time.
func (u *uninstaller) owing() instance.Record {
	if record, err := u.host.Store.Load(u.removal.Name); err == nil {
		return record
	}
	return u.record
}

func (u *uninstaller) removeToken(ctx context.Context) (secret.Secret, error) {
	if !u.removal.RemoveToken.Empty() {
		return u.removal.RemoveToken, nil
	}
	token, err := u.client.RemoveToken(ctx)
	return token.Value, err
}

// removeFiles removes the tree before the record: as long as there is
// something, it is remembered.
func (u *uninstaller) removeFiles(ctx context.Context) (string, error) {
	var left removal.Problems
	r := u.record
	for _, dir := range []string{r.Dir, r.NextDir(), instance.Away(r.NextDir()), r.AheadDir(), r.LifeDir()} {
		left.Add(u.host.Fetcher.Discard(ctx, dir))
	}
	if err := left.Err(); err != nil {
		return "", fmt.Errorf("removing the runner's files: %w", err)
	}
	if err := removeOutside(u); err != nil {
		return "", err
	}
	// Fails, rightly, while other runners live there.
	_ = os.Remove(filepath.Dir(u.record.Dir))
	return "removed", u.host.Store.Forget(u.removal.Name)
}
