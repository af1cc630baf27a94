//go:build unix

package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// A folder for jobs outside of the runner's directory: it is made, kept, and made again where it has gone.
func TestPlanWorkFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	work := filepath.Join(w.base, "data", "work")
	r := w.brought()
	r.JIT = w.jit(runnerName, runnerID, map[string]string{"WorkFolder": work})
	made := w.plan(r)
	wants(t, made, plan.WorkPhase, "change "+work+" (not there yet; it will be the account's)")
	if room := made.Details.Room; room.Path != work || !room.Make {
		t.Errorf("the room is %+v", room)
	}
	w.installed(r)
	w.change(func(r *instance.Record) {
		r.Work, r.WorkFolder = work, instance.WorkFolder{Path: work, Made: []instance.MadeFolder{{Path: work}}}
	})
	w.ownFolder(work)
	wants(t, w.plan(r), plan.WorkPhase, "keep "+work+" (it is there)")
	if strings.Contains(w.log.String(), "was not made by this program") {
		t.Errorf("the log is %s", w.log)
	}
	mustDo(t, os.Remove(work)) // as on a disk that a cloud gives again
	wants(t, w.plan(r), plan.WorkPhase, "change "+work+" (not there yet; it will be the account's)")
	mustDo(t, os.WriteFile(work, nil, 0o644))
	w.refused(r, places.ErrWorkKind, work)
}

// One that was there stays as it is, and so does one of a time when that was not noted.
func TestPlanWorkFolderOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	work := filepath.Join(w.base, "work")
	w.ownFolder(work)
	r := w.brought()
	r.JIT = w.jit(runnerName, runnerID, map[string]string{"WorkFolder": work})
	wants(t, w.plan(r), plan.WorkPhase, "change "+work+" (it is the account's, and stays as it is)")
	if !strings.Contains(w.log.String(), "the folder for jobs was not made by this program") {
		t.Errorf("the log is %s", w.log)
	}
	w.installed(r)
	w.change(func(r *instance.Record) { r.Work, r.WorkFolder = work, instance.WorkFolder{} })
	wants(t, w.plan(r), plan.WorkPhase, "change "+work+" (it is the account's, and stays as it is)")
	w.change(func(r *instance.Record) { r.Work = "" })
	r.JIT = w.jit(runnerName, runnerID, nil)
	wants(t, w.plan(r), plan.WorkPhase, "")
}

// ownFolder makes a folder that is the account's of the jobs.
func (w *world) ownFolder(path string) {
	w.t.Helper()
	mustDo(w.t, os.MkdirAll(path, 0o755))
	if account.Privileged() {
		user, err := account.Lookup(jobAccount)
		mustDo(w.t, err, os.Chown(path, user.UID, user.GID))
	}
}
