// Package strays sees to it that nothing runs as the account of the jobs beside the runner.
package strays

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

const (
	// strayTime is how long processes may take to end that were asked to.
	strayTime = 3 * time.Second
	strayPoll = 50 * time.Millisecond
	// straysNamed is how many of them an error names.
	straysNamed = 5
	// program is ours; what runs below another one is another runner's, or another installation's.
	program = "runner-bootstrap"
	// lifePrefix begins the names of units that listeners are confined in.
	lifePrefix = "listener."
	// overflowUID is nobody's, and whom the kernel shows processes and files as that have no account here.
	overflowUID = 65534
)

// ErrNotAlone means that a runner waits, since others could watch its jobs.
var ErrNotAlone = errors.New("other processes run as the account of the jobs, and the runner waits until they have ended")

// Company is what runs as the account of the jobs beside the runner.
type Company struct {
	Store *instance.Store
	User  account.User
	Log   *slog.Logger
}

// Clear sees to it that nothing runs as the account of the jobs before another registration: it could
// watch the next job, or change what that job starts with. What systemd runs for the account beside the runner
// is ended, as a job may have asked for it. Anything else may be somebody who is logged in: that is [ErrNotAlone], which
// names it. Runners that share an account, as --user can have it, do not look. It may be repeated.
func (c Company) Clear(ctx context.Context, record instance.Record) error {
	if c.User.Self || c.User.UID == overflowUID {
		return nil // it is also its owner's, or that of many
	}
	done, err := systemd.EndUserManager(ctx, c.User.Name, c.User.UID)
	if done != "" {
		c.Log.Warn("something ran as the account of the jobs beside the runner", "account", c.User.Name, "done", done)
	}
	if err != nil {
		c.Log.Warn("cannot end what runs as the account of the jobs", "error", err) // it is found below
	}
	shared, err := c.Shared(record)
	if err != nil || shared {
		return err
	}
	until := time.Now().Add(strayTime)
	for {
		strays, err := reaper.Strays(c.User.UID, program, lifePrefix)
		if err != nil || len(strays) == 0 {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("registering %q: %w: %s", record.Name, ErrNotAlone, words(strays))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(strayPoll):
		}
	}
}

func words(strays []reaper.Stray) string {
	var named []string
	for i, s := range strays {
		if i == straysNamed {
			named = append(named, fmt.Sprintf("and %d more", len(strays)-i))
			break
		}
		named = append(named, fmt.Sprintf("%d (%s)", s.PID, s.Name))
	}
	return strings.Join(named, ", ")
}

// Shared tells whether another runner of this host has the same account.
func (c Company) Shared(record instance.Record) (bool, error) {
	records, err := c.Store.List()
	if err != nil {
		return false, err
	}
	for _, other := range records {
		if other.Name != record.Name && other.User == record.User {
			return true, nil
		}
	}
	return false, nil
}
