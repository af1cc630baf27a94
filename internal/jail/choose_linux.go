package jail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd/transient"
)

// nobody is for what belongs to this process.
func nobody() account.User { return account.User{Self: true} }

// Choose takes the strongest way that this host has, and tries whether it can be had. It may be repeated. The error is about the
// folder, or ctx, or about a systemd that has units for lives and does not answer: the service of this process has no room for
// jobs then.
func Choose(ctx context.Context, o Options) (Maker, error) {
	if o.Unit == "" {
		return chooseByProcess(ctx, o)
	}
	m, err := newByUnit(ctx, o)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !errors.Is(err, errNotRoot) && !transient.Never(err):
		return nil, err
	}
	next, chooseErr := chooseByProcess(ctx, o)
	if chooseErr != nil {
		return nil, chooseErr
	}
	next.weaker = append([]string{fmt.Sprintf("systemd gives no unit to each life of the listener (%v)", err)}, next.weaker...)
	return next, nil
}

// Clear ends what killed processes have left of lives in a folder that no other process uses, and removes that: for lives
// that no Start under their name may ever follow. Those that are systemd's have nothing but their folders there. It may be
// repeated.
func Clear(ctx context.Context, folder string) error {
	m := &byProcess{folder: folder}
	left, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for lives: %w", err)
	}
	for _, life := range left {
		if err := m.EndStale(ctx, life.Name()); err != nil {
			return err
		}
	}
	return removal.Path(folder)
}

func chooseByProcess(ctx context.Context, o Options) (*byProcess, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of lives: %w", err)
	}
	if !account.Privileged() {
		return &byProcess{folder: o.Folder, log: o.Log, weaker: weakerDescendants("this process is not root")}, nil
	}
	isolated := &byProcess{folder: o.Folder, log: o.Log, isolated: true, weaker: weakerNamespaces()}
	_ = isolated.Prepare(o.Soon) // where that fails, the trial says why
	err := isolated.probe(ctx)
	if err == nil {
		return isolated, nil
	}
	_ = isolated.Prepare(0) // which starts nothing
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	weaker := weakerDescendants(fmt.Sprintf("this host lets nobody have namespaces (%v)", err))
	return &byProcess{folder: o.Folder, log: o.Log, weaker: weaker}, nil
}

// weakerNamespaces is in comparison with systemd's units.
func weakerNamespaces() []string {
	return []string{
		"system calls are not filtered, and what the account may write on this host stays writable to jobs",
		"the bound on processes counts all of the account's",
	}
}

func weakerDescendants(why string) []string {
	return []string{
		why + ", so jobs see the processes of this host, its temporary folders and all that the account may read",
		"a job's process is ended as a descendant of the runner, by this program alone",
		"the bound on processes counts all of the account's",
	}
}
