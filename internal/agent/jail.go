package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/strays"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// jail begins to choose what the listener is confined by on this host, while other things are done, and has its first life
// prepared. Chosen waits for that; drop is to be called when there will be no other life.
func (a *Agent) jail(ctx context.Context, record instance.Record) (chosen func() (jail.Maker, error), drop func()) {
	var maker jail.Maker
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		maker, err = a.chooseJail(ctx, record)
	}()
	return func() (jail.Maker, error) {
			<-done
			return maker, err
		}, func() {
			if <-done; err == nil {
				_ = maker.Prepare(0) // which starts nothing
			}
		}
}

// chooseJail takes units of systemd's where the agent is a service of its.
func (a *Agent) chooseJail(ctx context.Context, record instance.Record) (jail.Maker, error) {
	o := jail.Options{Folder: record.LifeDir(), Soon: 1, Log: a.Log}
	if a.Managed {
		o.Unit = record.Service
	}
	maker, err := jail.Choose(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("choosing what confines the listener: %w", err)
	}
	if weaker := maker.Weaker(); len(weaker) > 0 {
		a.Log.Warn("jobs are confined less than they could be", "runner", record.Name, "by", maker.Name(),
			"reason", strings.Join(weaker, "; "))
	}
	return maker, nil
}

// between is what is prepared during an ephemeral runner's job, or from its end on, so that the next registration takes less time.
type between struct {
	maker jail.Maker
	lives int  // one for config.sh, unless it is registered without, and one for the listener
	jobs  int  // that have ended
	ready int  // starts of the listener when that was done; below zero: it is not
	early bool // what is prepared during the job will do, as it hears of what is mounted meanwhile
}

// see is told each change of the listener's.
func (b *between) see(now supervise.Change) {
	switch ended := now.Results.Total(); {
	case ended > b.jobs, b.early && now.State == supervise.Busy:
		b.jobs, b.ready = ended, now.Starts
		_ = b.maker.Prepare(b.lives) // costs time where it fails
	case b.ready < 0, now.State == supervise.Registering, now.State == supervise.Starting:
	case now.State != supervise.Idle || now.Starts > b.ready:
		b.ready = -1
		_ = b.maker.Prepare(0) // which starts nothing
	}
}

// life is what all lives of the listener have in common.
func (a *Agent) life(record instance.Record, user account.User) jail.Spec {
	return jail.Spec{
		Name:        record.LifeName(),
		Description: "Listener of GitHub Actions runner " + record.Name + ", and its jobs",
		Tasks:       jail.Tasks(),
		View:        a.view(record, user),
	}
}

// alone tells whether the account is one that install has made, and this runner's only: what belongs to it, beside its home, then
// comes from this runner's jobs.
func (a *Agent) alone(record instance.Record, user account.User) bool {
	if !user.Ours() {
		return false
	}
	shared, err := strays.Company{Store: a.Store, User: user, Log: a.Log}.Shared(record)
	return err == nil && !shared
}

// view is what jobs see: of all runners this one, of all homes their own, and nothing of ours.
func (a *Agent) view(record instance.Record, user account.User) jail.View {
	allowed := func(what string) bool { return slices.Contains(record.Allow, what) }
	view := jail.View{
		Confined: !allowed(instance.AllowAll),
		Writable: []string{record.Dir},
		Hidden:   []string{filepath.Dir(record.Dir), a.Paths.State, a.Paths.Cache},
		Home:     user.OwnHome(),
		Fresh:    record.Ephemeral || record.JIT,
		OwnKeys:  (record.Ephemeral || record.JIT) && a.alone(record, user),
		Sudo:     allowed(instance.AllowSudo), Docker: allowed(instance.AllowDocker), DBus: allowed(instance.AllowDBus),
	}
	if work := record.WorkDir(); filepath.IsAbs(record.Work) {
		view.Writable = append(view.Writable, work)
	}
	return view
}
