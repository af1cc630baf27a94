package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
)

// learnTime is how long a cloud is asked which of its machines this is. Nothing waits for it.
const learnTime = 30 * time.Second

// copyMark is the file beside the sockets of agents by which a host's units know that it is a copy. It is gone after a boot.
const copyMark = "copied"

// noteCopy notes that this host is a copy of another machine, where a service manager has started the agent: a service of the
// host's may then make it a runner of its own.
func (a *Agent) noteCopy(err error) {
	if !errors.Is(err, machine.ErrCopied) || a.Watchdog == 0 || a.Socket == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(a.Socket), copyMark), nil, 0o600); err != nil {
		a.Log.Warn("cannot note that this machine is a copy", "error", err)
	}
}

// learn notes in the record on which machine the runner is: what an earlier version did not note, what was not known at
// the install, and what has changed on a machine that is the same.
func (a *Agent) learn(ctx context.Context, record instance.Record) {
	var facts metadata.Facts
	if record.Machine.Instance == "" && a.Machine.Ask != nil {
		limited, cancel := context.WithTimeout(ctx, learnTime)
		defer cancel()
		facts, _ = a.Machine.Ask(limited) //nolint:errcheck // most machines are in no cloud, and without it there is less to compare
	}
	now := a.Machine.Learn(record.Machine, facts)
	if now == record.Machine || ctx.Err() != nil {
		return
	}
	_, err := a.Store.Update(ctx, record.Name, func(r *instance.Record) { r.Machine = a.Machine.Learn(r.Machine, facts) })
	if err != nil && ctx.Err() == nil {
		a.Log.Warn("cannot note on which machine the runner is", "runner", record.Name, "error", err)
	}
}
