package agent

import (
	"context"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/runnerdir"
)

// mendOf puts the runner's files as they were verified into its directory again, and leaves its registration, its logs
// and what a persistent one works in. Where jobs run as the account that supervises, they could change them at any
// time: there it is done where a listener cannot even be started.
func mendOf(k *keeper) func(context.Context) error {
	return func(ctx context.Context) error {
		lock, record, err := lockedRecord(ctx, k.store, k.name)
		if err != nil {
			return err
		}
		defer lock.Release()
		single := record.Ephemeral || record.JIT
		k.emptyWork(record)
		if k.user.Self && runnerdir.Startable(record.Dir) {
			return nil
		}
		asset, err := k.sameAgain(ctx, record)
		if err != nil {
			return err
		}
		if err := replaceRoot(ctx, k, record, asset); err != nil {
			return err
		}
		defer k.discardOld(record)
		if err := k.noteUsed(ctx, record, false); err != nil {
			return err
		}
		k.log.Info("the runner's files are those that were verified again", "runner", k.name, "version", asset.Version)
		if single {
			return nil
		}
		return k.restore(record)
	}
}

// toMend tells whether the runner's directory has to be mended before a listener is started in it: a job has run there under
// an agent that was killed, or its files are of another account than they are to be.
//
// The report of the agent before is about to be replaced, so that what it says is noted in the record: this agent may be killed before
// it has mended anything.
func toMend(ctx context.Context, k *keeper, record instance.Record) bool {
	report, err := k.store.LoadReport(k.name)
	used := record.Used || err == nil && (report.State == instance.Busy || report.Succeeded+report.Failed+report.Canceled > 0)
	if used && (record.Ephemeral || record.JIT) {
		if err := k.noteUsed(ctx, record, true); err != nil {
			k.log.Warn("cannot note that a job may have changed the runner's directory", "runner", k.name, "error", err)
		}
	}
	return used || stillRoots(k, record)
}

// noteUsed notes whether a job may have changed the runner's directory, unless that is noted.
func (k *keeper) noteUsed(ctx context.Context, record instance.Record, used bool) error {
	if record.Used == used {
		return nil
	}
	_, err := k.store.Update(ctx, k.name, func(r *instance.Record) { r.Used = used })
	return err
}

// stillRoots tells whether the files of a runner that is to update itself are root's, as an install has left them that made
// a runner of it which registers in another way.
func stillRoots(k *keeper, record instance.Record) bool {
	if record.Rooted() || k.user.Self || k.user.Root() {
		return false
	}
	info, err := os.Lstat(record.Dir)
	return err == nil && acl.RootOwns(record.Dir, info)
}
