package doctor

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// work looks at the folder for jobs, as the plan of an install does.
func (h Host) work(context.Context) []Finding {
	const check = "work"
	if h.Work == "" {
		return skipped(check, "no --work given")
	}
	user, err := h.jobUser()
	if err != nil {
		return skipped(check, "there is no account for the jobs")
	}
	records, err := instance.NewStore(h.Paths.State).List()
	if err != nil {
		records = nil // they are root's, and are not known to others
	}
	for _, record := range records {
		if record.Work != h.Work || !filepath.IsAbs(h.Work) {
			continue
		}
		if err := places.CheckRoom(record.WorkDir(), user); err != nil {
			return h.workFinding(err)
		}
		return one(check, OK, record.WorkDir(), "jobs of "+record.Name+" work there", "")
	}
	room, err := places.CheckWork(places.Work{
		Folder: h.Work, Name: "runner", Paths: h.Paths, User: user, PrivateTemp: h.Service && !places.Temporary(h.Paths.Runners),
		Records: records,
	})
	switch {
	case err != nil:
		return h.workFinding(err)
	case room.Path == "":
		return one(check, OK, h.Work, "in the runner's directory", "")
	}
	if found := places.Folded(room.Path); found != "" {
		return one(check, Warning, h.Work, found, h.Again("--work", places.Inside))
	}
	return one(check, OK, h.Work, "it can be made, and jobs can work there", "")
}

// workFinding says why jobs cannot work in the folder.
func (h Host) workFinding(err error) []Finding {
	var problem *places.WorkError
	if !errors.As(err, &problem) {
		return one("work", Failed, h.Work, err.Error(), h.Again("--work", places.Inside))
	}
	return one("work", Failed, problem.Folder, problem.Why(), mendWork(h, problem))
}

func mendWork(h Host, e *places.WorkError) string {
	if e.Command != "" {
		return shell.Here().Mend(e.Command)
	}
	return h.Again("--work", e.Instead)
}
