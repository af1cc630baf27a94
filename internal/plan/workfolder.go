package plan

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/trust"
)

// checkWork refuses a folder in which jobs cannot work, or which has something in
// it that is not theirs, before anything is fetched.
func (p *planner) checkWork(context.Context) error {
	if at := places.Unmounted(p.plan.Dir); at != "" {
		p.maker.Log.Warn("nothing is mounted yet where the runner's directory is to be; mount it first, or it hides the runner later",
			"runner", p.plan.Name, "mount", at)
	}
	folder := p.Request.wantedWork()
	settled := p.known && p.Record.Work == folder && p.Record.Phase != instance.Planned && p.Record.Phase != instance.Fetched
	if folder == "" || settled && !filepath.IsAbs(folder) {
		return nil
	}
	records, err := p.maker.Store.List()
	if err != nil {
		return err
	}
	want := places.Work{
		Folder: folder, Name: p.plan.Name, Part: p.Request.Index > 0, Exact: p.Request.JIT != nil, Paths: p.maker.Paths, User: p.JobUser,
		PrivateTemp: p.privateTemp(), Records: records,
	}
	if settled {
		p.Room, err = settledRoom(p.Record, want)
		return err
	}
	if p.Room, err = places.CheckWork(want); err != nil {
		return err
	}
	if found := places.Folded(cmp.Or(p.Room.Path, p.plan.Dir)); found != "" {
		p.plan.warn(found)
	}
	return nil
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
	record := p.Record
	record.User, record.Allow = p.plan.User, p.Request.Life.Allow
	return p.Request.Service && sandbox(p.maker.Paths, record, p.JobUser, false).PrivateTemp() // which is the same with jobs apart
}

// checkTrust refuses certificates that the listener or its jobs could not use.
func (p *planner) checkTrust(context.Context) error {
	kept, err := keptVariables(p)
	if err != nil {
		return err
	}
	hidden := func(path string) error {
		if temporary(path) && p.privateTemp() {
			return ErrPrivateTemp
		}
		return nil
	}
	return trust.Jobs{User: p.JobUser, Account: p.plan.User, Hidden: hidden}.Check(p.variables(kept))
}

// planWork says what becomes of a folder for jobs outside of the runner's.
func (p *planner) planWork(context.Context) error {
	if p.Room.Path == "" {
		return nil
	}
	before := p.Record.WorkFolder.Path
	p.Record.WorkFolder.Path = p.Room.Path
	_, made := p.Record.WorkFolder.Find(p.Room.Path)
	switch {
	case p.Room.Make:
		p.plan.change(WorkPhase, p.Room.Path, "not there yet; it will be the account's")
	case before != p.Room.Path:
		p.plan.change(WorkPhase, p.Room.Path, "it is the account's, and stays as it is")
	default:
		p.plan.keep(WorkPhase, p.Room.Path, "it is there")
	}
	if !p.Room.Make && !made {
		p.maker.Log.Warn("the folder for jobs was not made by this program, so what jobs leave there is never removed",
			"runner", p.plan.Name, "folder", p.Room.Path)
	}
	return nil
}
