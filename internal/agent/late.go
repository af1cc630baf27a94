package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

const (
	// lateTime is how long a service waits for what is not there when it starts. It
	// then ends, to be started again: a sandbox shows nothing that is mounted after
	// its start in the place of what it had.
	lateTime = 10 * time.Second
	lateEach = 250 * time.Millisecond
)

// ErrLate means that a service has found nothing of its runner: what it is on may
// be mounted late. It is tried again.
var ErrLate = errors.New("it is not there: is its file system mounted late?")

// roomEach is how often it is tried again to write on a disk that is full.
const roomEach = 5 * time.Second

// withRoom does something, and waits while the disk has no room for it: a job may have filled that, and others can empty it.
func (a *Agent) withRoom(ctx context.Context, do func() error) error {
	for told := false; ; told = true {
		err := do()
		if err == nil || !volume.IsFull(err) {
			return err
		}
		if !told {
			a.Log.Error("this host's disk has no room; the runner waits until there is some", "error", err)
			if err := a.Manager.Status("waiting for room on the disk: " + err.Error()); err != nil {
				a.Log.Warn("cannot tell the service manager what is waited for", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(roomEach):
		}
	}
}

// LoadLate reads the record of a runner whose service starts. Records that are not
// there are waited for, and then [ErrLate].
func LoadLate(ctx context.Context, store *instance.Store, name string) (instance.Record, error) {
	err := await(ctx, func() bool {
		_, err := store.Load(name)
		return !errors.Is(err, instance.ErrUnknown)
	})
	if err != nil {
		return instance.Record{}, fmt.Errorf("looking for the record of runner %q: %w", name, err)
	}
	return store.Load(name)
}

// awaitRoot does the same for the runner's directory. Status and log say so.
func (a *Agent) awaitRoot(ctx context.Context, record instance.Record) error {
	there := func() bool { return !hollow(record.Dir) }
	if !a.Managed || there() {
		return nil
	}
	reason := fmt.Sprintf("directory %q: %v", record.Dir, ErrLate)
	a.Log.Warn("waiting for the runner's directory", "runner", record.Name, "reason", reason)
	report, err := a.Store.LoadReport(record.Name)
	if err == nil {
		report.State, report.Reason, report.PID, report.Since = instance.Failing, reason, os.Getpid(), time.Now().UTC()
		err = a.Store.SaveReport(record.Name, report)
	}
	if err := errors.Join(err, a.Manager.Status(reason)); err != nil {
		a.Log.Warn("cannot say that the runner's directory is waited for", "runner", record.Name, "error", err)
	}
	if err := await(ctx, there); err != nil {
		return fmt.Errorf("looking at directory %q: %w", record.Dir, err)
	}
	return nil
}

// hollow tells whether nothing of a runner is there, not even what is damaged or
// what a killed process was about to put there.
func hollow(dir string) bool {
	entries, err := os.ReadDir(dir)
	if !errors.Is(err, fs.ErrNotExist) && (err != nil || len(entries) > 0) {
		return false
	}
	beside, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".next*"))
	return err == nil && len(beside) == 0
}

// await looks until there is something; [ErrLate] after a while.
func await(ctx context.Context, there func() bool) error {
	limit := time.NewTimer(lateTime)
	defer limit.Stop()
	tick := time.NewTicker(lateEach)
	defer tick.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return ErrLate
		case <-tick.C:
		}
	}
	return nil
}

const (
	// accountWait is how long a service that is starting waits for its account: a
	// directory (SSSD, LDAP) may come up after it. It ends before the start's own time.
	accountWait = instance.StartTimeout - time.Minute
	accountEach = 2 * time.Second
)

// awaitUser finds the account of a record. Under a service manager it waits for one
// that is not known yet, and then fails in such a way that the service is started
// again. The error is that of ctx if that ends first.
func (a *Agent) awaitUser(ctx context.Context, record instance.Record) (account.User, error) {
	user, err := account.OfJobs(record.User)
	if err != nil && a.Watchdog > 0 {
		a.Log.Warn("waiting for the runner's account", "runner", record.Name, "error", err)
		if err := a.Manager.Status("waiting for account " + record.User); err != nil {
			a.Log.Warn("cannot tell the service manager", "error", err) // it is a word for people
		}
		end := time.Now().Add(accountWait)
		for err != nil && time.Now().Before(end) {
			select {
			case <-ctx.Done():
				return account.User{}, context.Cause(ctx)
			case <-time.After(accountEach):
			}
			user, err = account.OfJobs(record.User)
		}
		if err != nil {
			return account.User{}, fmt.Errorf("%w: %w", ErrAccountAway, err)
		}
	}
	if err == nil && user.Doubt != nil {
		a.Log.Warn("jobs may lack groups of the account that only a directory knows", "runner", record.Name, "error", user.Doubt)
	}
	return user, err
}
