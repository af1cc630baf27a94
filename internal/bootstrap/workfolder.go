package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// makeWork makes the folder for jobs. The record announces it first, so that one
// that a killed run has left is known as ours.
func (i *installer) makeWork(ctx context.Context) (string, error) {
	before := i.record.WorkFolder
	before.Made, before.Above = slices.Clone(before.Made), slices.Clone(before.Above)
	w := &i.record.WorkFolder
	w.Path = i.details.Room.Path
	if !i.details.Room.Make {
		return "left as it is", noteWork(ctx, i.host.Store, i.record)
	}
	for _, dir := range slices.Concat(i.details.Room.Shared, i.details.Room.Above) {
		if !slices.Contains(w.Above, dir) {
			w.Above = append(w.Above, dir)
		}
	}
	if _, found := w.Find(w.Path); !found {
		w.Made = append(w.Made, instance.MadeFolder{Path: w.Path})
	}
	if err := noteWork(ctx, i.host.Store, i.record); err != nil {
		return "", err
	}
	inode, err := makeRoom(i.details.Room, i.jobUser)
	if err != nil {
		for _, dir := range slices.Backward(i.details.Room.Above) {
			workspace.RemoveEmpty(dir) // one that is in use stays
		}
		i.record.WorkFolder = before
		return "", errors.Join(err, noteWork(context.WithoutCancel(ctx), i.host.Store, i.record))
	}
	for n := range w.Made {
		if w.Made[n].Path == w.Path {
			w.Made[n].Inode = inode
		}
	}
	return "made for account " + i.plan.User, noteWork(ctx, i.host.Store, i.record)
}

// makeRoom makes the folder, and those above it as root's.
func makeRoom(room places.Room, user account.User) (inode uint64, err error) {
	for _, dir := range room.Above {
		if _, err := workspace.Make(dir, -1, -1); err != nil && !errors.Is(err, fs.ErrExist) {
			return 0, err
		}
	}
	uid, gid := user.Owner()
	inode, err = workspace.Make(room.Path, uid, gid)
	if err == nil && uid < 0 {
		err = user.Own(room.Path) // on Windows, where that is no change of the owner
	}
	return inode, err
}

// noteWork saves this alone: a supervisor may be at work.
func noteWork(ctx context.Context, store *instance.Store, record instance.Record) error {
	_, err := store.Update(ctx, record.Name, func(r *instance.Record) { r.WorkFolder = record.WorkFolder })
	return err
}

// removeOutside removes what a runner has beside its directory.
func removeOutside(u *uninstaller) error {
	if err := u.removeWork(); err != nil {
		return err
	}
	if _, err := removeSudoRule(u.host, u.record, ruleOf(u.record.User)); err != nil {
		return err
	}
	if u.record.MetricsFile == "" {
		return nil
	}
	err, answered := folders.Soon(func() error { return health.RemoveMetrics(u.record.MetricsFile) }, func(error) {})
	if !answered {
		return fmt.Errorf("removing metrics %q: %w", u.record.MetricsFile, folders.ErrSilent)
	}
	return err
}

// removeWork removes the folders for jobs that we have made, and those above them
// that nobody else needs. What is mounted there is somebody's, and stays.
func (u *uninstaller) removeWork() error {
	w := u.record.WorkFolder
	for _, made := range w.Made {
		err := workspace.Remove(made.Path, made.Inode)
		if errors.Is(err, removal.ErrMounted) || errors.Is(err, workspace.ErrOther) || errors.Is(err, folders.ErrNotFolder) {
			u.host.Log.Warn("a folder for jobs is left, since not all of it is ours",
				"runner", u.removal.Name, "folder", made.Path, "reason", err.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(w.Above) {
		workspace.RemoveEmpty(dir) // one that others use stays
	}
	if filepath.IsAbs(u.record.Work) && len(w.Made) == 0 {
		u.host.Log.Warn("the folder for jobs was not made by this program, and stays",
			"runner", u.removal.Name, "folder", u.record.WorkDir())
	}
	return nil
}
