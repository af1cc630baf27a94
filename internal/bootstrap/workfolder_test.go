//go:build unix

package bootstrap_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// A folder for jobs outside of the runner's directory.
func TestInstallWorkFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, work := w.requestWithWork()
	w.install(r)
	if got := w.phases.of(plan.WorkPhase); !strings.HasPrefix(got, "made for account ") {
		t.Errorf("the phase says %q", got)
	}
	made, found := w.record().WorkFolder.Find(work)
	if info, err := os.Stat(work); err != nil || !info.IsDir() || !found || made.Inode == 0 {
		t.Errorf("the folder is %v, %v, noted %+v", info, err, w.record().WorkFolder)
	}
	if w.install(r); w.phases.of(plan.WorkPhase) != "kept: it is there" {
		t.Errorf("the second time %q", w.phases.of(plan.WorkPhase))
	}
	mustDo(t, os.Remove(work)) // as on a disk that a cloud gives again
	w.install(r)
	if _, err := os.Stat(work); err != nil {
		t.Error(err)
	}
	mustDo(t, w.host.Uninstall(t.Context(), bootstrap.Removal{Name: runnerName, SkipGitHub: true}))
	if _, err := os.Stat(filepath.Dir(work)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder for jobs is left: %v", err)
	}
}

// One that was there stays.
func TestInstallWorkFolderOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	work := filepath.Join(w.base, "work")
	mustDo(t, os.Mkdir(work, 0o755))
	if account.Privileged() {
		user, err := account.Lookup(jobAccount)
		mustDo(t, err, os.Chown(work, user.UID, user.GID))
	}
	r := w.request()
	config := w.jit(runnerName, broughtID, map[string]string{"WorkFolder": work})
	r.JIT, r.Source, r.Service = &config, download.Source{Version: version}, false
	w.install(r)
	if got := w.phases.of(plan.WorkPhase); got != "left as it is" {
		t.Errorf("the phase says %q", got)
	}
	mustDo(t, w.host.Uninstall(t.Context(), bootstrap.Removal{Name: runnerName, SkipGitHub: true}))
	w.says("the folder for jobs was not made by this program, and stays")
	if _, err := os.Stat(work); err != nil {
		t.Error(err)
	}
}

// A folder that somebody has filled since the plan was made stays theirs, and nothing is noted of it.
func TestInstallWorkFolderTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, work := w.requestWithWork()
	w.phases.begin = func(phase plan.Phase) {
		if phase == plan.WorkPhase {
			w.write("data/jobs/theirs", "x")
		}
	}
	w.refused(r, fs.ErrExist, "making folder", work)
	if noted := w.record().WorkFolder; len(noted.Made) > 0 || len(noted.Above) > 0 {
		t.Errorf("noted %+v", noted)
	}
	mustDo(t, w.host.Uninstall(t.Context(), bootstrap.Removal{Name: runnerName, SkipGitHub: true}))
	if _, err := os.Stat(filepath.Join(work, "theirs")); err != nil {
		t.Error(err)
	}
}

// What cannot be noted is not made.
func TestInstallWorkFolderUnnoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, work := w.requestWithWork()
	w.phases.begin = func(phase plan.Phase) {
		if phase == plan.WorkPhase {
			w.write("rb/state/instances/"+runnerName+"/record.json", "{")
		}
	}
	w.refused(r, nil, "reading record")
	if _, err := os.Lstat(filepath.Dir(work)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

// A folder that has taken the place of the one that was made is somebody's.
func TestUninstallWorkFolderReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, work := w.requestWithWork()
	w.install(r)
	mustDo(t, os.Rename(work, work+".away"), os.Mkdir(work, 0o755))
	mustDo(t, w.host.Uninstall(t.Context(), bootstrap.Removal{Name: runnerName, SkipGitHub: true}))
	w.says("a folder for jobs is left, since not all of it is ours")
	if _, err := os.Stat(work); err != nil {
		t.Error(err)
	}
}

// requestWithWork asks for a runner whose jobs work in a folder outside of its directory, which is not there.
func (w *world) requestWithWork() (r plan.Request, work string) {
	work = filepath.Join(w.base, "data", "jobs")
	config := w.jit(runnerName, broughtID, map[string]string{"WorkFolder": work})
	r = w.request()
	r.JIT, r.Source, r.Service = &config, download.Source{Version: version}, false
	return r, work
}
