package bootstrap

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// wantedWork is the folder for jobs that the request names: a just-in-time
// configuration brings its own.
func (r Request) wantedWork() string {
	if r.JIT != nil {
		return r.JIT.Settings.Work
	}
	return r.Identity.Work
}

// checkWork refuses a folder in which jobs cannot work, or which has something in
// it that is not theirs, before anything is fetched.
func (p *planner) checkWork(context.Context) error {
	if at := places.Unmounted(p.plan.Dir); at != "" {
		p.host.Log.Warn("nothing is mounted yet where the runner's directory is to be; mount it first, or it hides the runner later",
			"runner", p.plan.Name, "mount", at)
	}
	folder := p.request.wantedWork()
	settled := p.known && p.record.Work == folder && p.record.Phase != instance.Planned && p.record.Phase != instance.Fetched
	if folder == "" || settled && !filepath.IsAbs(folder) {
		return nil
	}
	records, err := p.host.Store.List()
	if err != nil {
		return err
	}
	want := places.Work{
		Folder: folder, Name: p.plan.Name, Part: p.request.Index > 0, Exact: p.request.JIT != nil, Paths: p.host.Paths, User: p.jobUser,
		PrivateTemp: p.privateTemp(), Records: records,
	}
	if settled {
		p.room, err = settledRoom(p.record, want)
		return err
	}
	p.room, err = places.CheckWork(want)
	return err
}

// settledRoom is where the runner works already. What has gone is made again.
func settledRoom(record instance.Record, want places.Work) (places.Room, error) {
	path := record.WorkFolder.Path
	if path == "" {
		path = filepath.Clean(want.Folder) // of a time when this was not noted
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		want.Folder, want.Exact = path, true
		return places.CheckWork(want)
	}
	if record.WorkFolder.Path == "" {
		return places.Room{Path: path}, nil // what has worked so far is not refused
	}
	return places.Room{Path: path}, places.CheckRoom(path, want.User)
}

// privateTemp tells whether the service will have temporary folders of its own.
func (p *planner) privateTemp() bool {
	record := p.record
	record.User, record.Allow = p.plan.User, p.request.Life.Allow
	return p.request.Service && sandbox(p.host.Paths, record, p.jobUser).PrivateTemp()
}

// planWork says what becomes of a folder for jobs outside of the runner's.
func (p *planner) planWork(context.Context) error {
	if p.room.Path == "" {
		return nil
	}
	before := p.record.WorkFolder.Path
	p.record.WorkFolder.Path = p.room.Path
	_, made := p.record.WorkFolder.Find(p.room.Path)
	switch {
	case p.room.Make:
		p.plan.change(WorkPhase, p.room.Path, "not there yet; it will be the account's")
	case before != p.room.Path:
		p.plan.change(WorkPhase, p.room.Path, "it is the account's, and stays as it is")
	default:
		p.plan.keep(WorkPhase, p.room.Path, "it is there")
	}
	if !p.room.Make && !made {
		p.host.Log.Warn("the folder for jobs was not made by this program, so what jobs leave there is never removed",
			"runner", p.plan.Name, "folder", p.room.Path)
	}
	return nil
}

// makeWork makes the folder for jobs. The record announces it first, so that one
// that a killed run has left is known as ours.
func (i *installer) makeWork(ctx context.Context) (string, error) {
	before := i.record.WorkFolder
	before.Made, before.Above = slices.Clone(before.Made), slices.Clone(before.Above)
	w := &i.record.WorkFolder
	w.Path = i.room.Path
	if !i.room.Make {
		return "left as it is", noteWork(ctx, i.host.Store, i.record)
	}
	for _, dir := range slices.Concat(i.room.Shared, i.room.Above) {
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
	inode, err := makeRoom(i.room, i.jobUser)
	if err != nil {
		for _, dir := range slices.Backward(i.room.Above) {
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
	return workspace.Make(room.Path, uid, gid)
}

// noteWork saves this alone: a supervisor may be at work.
func noteWork(ctx context.Context, store *instance.Store, record instance.Record) error {
	_, err := store.Update(ctx, record.Name, func(r *instance.Record) { r.WorkFolder = record.WorkFolder })
	return err
}

// removeWork removes the folders for jobs that we have made, and those above them
// that nobody else needs. What is mounted there is somebody's, and stays.
func (u *uninstaller) removeWork() error {
	w := u.record.WorkFolder
	for _, made := range w.Made {
		err := workspace.Remove(made.Path, made.Inode)
		if errors.Is(err, workspace.ErrMounted) || errors.Is(err, workspace.ErrOther) || errors.Is(err, workspace.ErrNotFolder) {
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
