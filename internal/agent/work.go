package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/runnerdir"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// ownWork tells why what is in the folder for jobs may not be removed; nil if it
// may. That in the runner's directory always may.
func ownWork(record instance.Record) error {
	if !filepath.IsAbs(record.Work) {
		return nil
	}
	made, found := record.WorkFolder.Find(record.WorkDir())
	if !found {
		return fmt.Errorf("looking at folder %q: %w", record.WorkDir(), errNotMade)
	}
	return workspace.Check(made.Path, made.Inode)
}

var errNotMade = errors.New("it was not made by this program")

// emptyWork removes what an ephemeral job has left where it is not about to be removed with the runner's directory: in the folder for
// logs, and in that for jobs where this is elsewhere, no other directory is made, or it is filled again around what is mounted in it. What
// cannot be removed is better than no runner, and what is not ours stays. A persistent runner keeps all.
func (k *keeper) emptyWork(record instance.Record) {
	if !record.Ephemeral && !record.JIT {
		return
	}
	k.straighten(record)                       // else what its owner cannot enter would not be emptied where that is who empties it
	mounted, _ := runnerdir.Mounts(record.Dir) // who fills the directory again tells why it cannot be seen
	err := ownWork(record)
	if err == nil && (filepath.IsAbs(record.Work) || k.user.Self || len(mounted) > 0) {
		err = workspace.Empty(record.Dir, record.WorkDir(), jobsUID(k.user))
	} else {
		err = errors.Join(err, workspace.EmptyLogs(record.Dir, jobsUID(k.user)))
	}
	if err != nil && (len(mounted) == 0 || !removal.MountsAlone(err)) { // what is mounted there is told once
		k.log.Warn("cannot empty the work folder; the next job may see what an earlier one has left", "runner", k.name, "error", err)
	}
}

// mendWork makes a folder for jobs again that we have made and that is gone, as on
// a disk which a cloud gives empty at each start.
func (k *keeper) mendWork(ctx context.Context, record instance.Record) {
	made, found := record.WorkFolder.Find(record.WorkDir())
	if !found {
		return
	}
	seen := workspace.Check(made.Path, made.Inode)
	if errors.Is(seen, folders.ErrSilent) {
		k.log.Warn("cannot see whether the work folder is there; jobs may wait for it", "runner", k.name, "error", seen)
	}
	if !errors.Is(seen, fs.ErrNotExist) {
		return
	}
	uid, gid := k.user.Owner()
	inode, err := workspace.Make(made.Path, uid, gid)
	if err == nil && uid < 0 {
		err = k.user.Own(made.Path) // on Windows, where that is no change of the owner
	}
	if err == nil {
		_, err = k.store.Update(ctx, k.name, func(r *instance.Record) {
			for i := range r.WorkFolder.Made {
				if r.WorkFolder.Made[i].Path == made.Path {
					r.WorkFolder.Made[i].Inode = inode
				}
			}
		})
	}
	if err != nil {
		k.log.Warn("cannot make the work folder again, which is gone", "runner", k.name, "error", err)
	}
}

// jobsUID is the number of the account that jobs run as.
func jobsUID(user account.User) int {
	if user.Self {
		return os.Getuid()
	}
	uid, _ := user.Owner()
	return uid
}

// straighten removes what a job has put in the place of the folders that a listener needs.
func (k *keeper) straighten(record instance.Record) {
	removed, err := workspace.Straighten(record.Dir, record.WorkDir(), jobsUID(k.user))
	for _, name := range removed {
		k.log.Warn("a job had put something else in the place of a folder or log of the runner; it is gone", "runner", k.name, "name", name)
	}
	if err != nil {
		k.log.Warn("cannot remove what is in the place of a folder of the runner", "runner", k.name, "error", err)
	}
}
