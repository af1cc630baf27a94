package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

const day = 24 * time.Hour

// tight leaves nothing that may be removed.
func tight() workspace.Limits {
	return workspace.Limits{DiagAge: time.Hour, DiagBytes: 1, WorkAge: time.Hour}
}

func tidy(t *testing.T, root string, limits workspace.Limits) workspace.Freed {
	t.Helper()
	freed, err := workspace.Tidy(t.Context(), root, "", limits, time.Now())
	check(t, err)
	return freed
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	want := workspace.Limits{DiagAge: 30 * day, DiagBytes: 256 << 20, WorkAge: 30 * day}
	if got := workspace.DefaultLimits(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTidyKeepsWhatIsYoung(t *testing.T) {
	t.Parallel()
	for _, ago := range []time.Duration{0, time.Minute, 23 * time.Hour, -day, -1000 * day} {
		root := runner(t)
		age(t, root, ago)
		before := snapshot(t, root)
		freed := tidy(t, root, workspace.DefaultLimits())
		if after := snapshot(t, root); len(after) != len(before) || freed.Files != 0 || freed.Bytes != 0 || freed.Names != nil {
			t.Errorf("of files %v old, %d of %d were kept: %+v", ago, len(after), len(before), freed)
		}
	}
}

func TestTidyZeroIsNoLimit(t *testing.T) {
	t.Parallel()
	root := runner(t)
	age(t, root, 10_000*day)
	tidy(t, root, workspace.Limits{})
	expect(t, root, []string{"_diag/Worker_1.log", "_diag/pages/p.1", "_work/repo", "_work/_tool/node", "_work/_actions/o"}, []string{"_work/_temp/a"})
}

func TestTidyVersions(t *testing.T) {
	t.Parallel()
	all := []string{"bin.1", "bin.2", "bin.3", "externals.1", "externals.2", "externals.3"}
	without := func(kept ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(kept, name) })
	}
	for _, test := range []struct {
		name           string
		bin, externals string // where the links lead; "" for none, "folder" for a folder
		update         string // in the work folder
		age            time.Duration
		gone           []string
	}{
		{name: "the present one stays", bin: "ROOT/bin.2", externals: "ROOT/externals.2", gone: without("bin.2", "externals.2")},
		{name: "relative", bin: "bin.2", externals: "./externals.2", gone: without("bin.2", "externals.2")},
		{name: "never updated", bin: "folder", externals: "folder"},
		{name: "bin missing", externals: "ROOT/externals.2"},
		{name: "externals missing", bin: "ROOT/bin.2", gone: []string{"bin.1", "bin.3"}},
		{name: "externals a folder", bin: "ROOT/bin.2", externals: "folder", gone: []string{"bin.1", "bin.3"}},
		{name: "externals dangle", bin: "ROOT/bin.2", externals: "ROOT/externals.9", gone: []string{"bin.1", "bin.3"}},
		{name: "bin dangles", bin: "ROOT/bin.9", externals: "ROOT/externals.2"},
		{name: "bin leads elsewhere", bin: "/elsewhere/bin.2", externals: "ROOT/externals.2"},
		{name: "bin leads to externals", bin: "ROOT/externals.2", externals: "ROOT/externals.2"},
		{name: "bin leads up", bin: "..", externals: "ROOT/externals.2"},
		{name: "updating", bin: "ROOT/bin.2", externals: "ROOT/externals.2", update: "_update/"},
		{name: "updating by script", bin: "ROOT/bin.2", externals: "ROOT/externals.2", update: "_update.sh"},
		{name: "updating in the future", bin: "ROOT/bin.2", externals: "ROOT/externals.2", update: "_update.sh", age: -day},
		{name: "updating nearly an hour", bin: "ROOT/bin.2", externals: "ROOT/externals.2", update: "_update.sh", age: 59 * time.Minute},
		{
			name: "updated", bin: "ROOT/bin.2", externals: "ROOT/externals.2", update: "_update.sh", age: 61 * time.Minute,
			gone: without("bin.2", "externals.2"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root, out := t.TempDir(), outside(t)
			for _, name := range all {
				plant(t, root, name+"/lib/file")
			}
			plant(t, root, "_work/", "bin.file", "binary/x")
			link(t, out, root, "bin.link")
			for name, target := range map[string]string{"bin": test.bin, "externals": test.externals} {
				switch target {
				case "":
				case "folder":
					plant(t, root, name+"/file")
				default:
					link(t, filepath.FromSlash(strings.ReplaceAll(target, "ROOT", root)), root, name)
				}
			}
			if test.update != "" {
				plant(t, filepath.Join(root, "_work"), test.update)
				age(t, filepath.Join(root, "_work", test.update), test.age)
			}
			freed := tidy(t, root, workspace.DefaultLimits())
			expect(t, root, append(without(test.gone...), "bin.file", "bin.link", "binary/x"), test.gone)
			if freed.Files != len(test.gone) {
				t.Errorf("%d files were counted, want %d", freed.Files, len(test.gone))
			}
			slices.Sort(freed.Names)
			if !slices.Equal(freed.Names, test.gone) {
				t.Errorf("the names are %q, want %q", freed.Names, test.gone)
			}
		})
	}
}

func TestTidyLogs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	logs := map[string]time.Duration{
		"Runner_1.log": 40 * day, "Runner_2.log": 35 * day, "Runner_3.log.succeed": 0, "Worker_1.log": 31 * day, "Worker_2.log": 29 * day,
		"SelfUpdate-1.log.succeed": 31 * day, "pages/old": 31 * day, "pages/new": day, "blocks/old": 31 * day, "folder/old": 31 * day,
		"folder2/new": day, "future.log": -100 * day, "pages/Runner_9.log": 33 * day,
	}
	for name, ago := range logs {
		plant(t, root, "_diag/"+name)
		age(t, filepath.Join(root, "_diag", name), ago)
	}
	age(t, filepath.Join(root, "_diag/folder"), 31*day)
	plant(t, root, "_diag/folder2/")
	age(t, filepath.Join(root, "_diag/folder2"), day)
	time.Sleep(20 * time.Millisecond)                                       // the kernel counts changes in ticks
	age(t, filepath.Join(root, "_diag/Runner_2.log"), logs["Runner_2.log"]) // what its listener has changed last is open
	freed := tidy(t, root, workspace.DefaultLimits())
	expect(t, filepath.Join(root, "_diag"),
		[]string{"Runner_2.log", "Runner_3.log.succeed", "Worker_2.log", "pages/new", "blocks", "folder2/new", "future.log"},
		[]string{"Runner_1.log", "Worker_1.log", "SelfUpdate-1.log.succeed", "pages/old", "blocks/old", "folder"})
	want := []string{"_diag/Runner_1.log", "_diag/SelfUpdate-1.log.succeed", "_diag/Worker_1.log", "_diag/blocks/old", "_diag/folder", "_diag/pages/Runner_9.log", "_diag/pages/old"}
	slices.Sort(freed.Names)
	if freed.Files != len(want) || !slices.Equal(freed.Names, want) {
		t.Errorf("%d files of the names %q, want %q", freed.Files, freed.Names, want)
	}
}

func TestTidyLogsByBytes(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	root := t.TempDir()
	for i, name := range []string{"Runner_1.log", "Worker_1.log", "pages/p", "blocks/b", "Worker_2.log", "Runner_0.log"} {
		plant(t, root, "_diag/"+name)
		check(t, os.WriteFile(filepath.Join(root, "_diag", name), make([]byte, size), 0o644))
		age(t, filepath.Join(root, "_diag", name), time.Duration(10-i)*time.Hour)
	}
	freed := tidy(t, root, workspace.Limits{DiagBytes: 3*size + size/2})
	expect(t, filepath.Join(root, "_diag"), []string{"Runner_0.log", "Worker_2.log", "blocks/b"}, []string{"pages/p", "Worker_1.log", "Runner_1.log"})
	if freed.Files != 3 || freed.Bytes != 3*size {
		t.Errorf("%d files of %d bytes were counted, want 3 of %d", freed.Files, freed.Bytes, 3*size)
	}
	tidy(t, root, workspace.Limits{DiagBytes: 1})
	expect(t, filepath.Join(root, "_diag"), []string{"Runner_0.log", "pages"}, []string{"Worker_2.log", "blocks/b"})
	check(t, os.Remove(filepath.Join(root, "_diag/Runner_0.log")))
	tidy(t, root, workspace.Limits{DiagBytes: 1})
}

// TestTidyLogsFromTheFuture: no time that a job has set, and no log that is too large, takes the others away, and the one that the listener
// has open least of all.
func TestTidyLogsFromTheFuture(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	for _, test := range []struct {
		name  string
		when  time.Duration // of what a job has left, before now
		bytes int
		open  int // bytes of the open log
		gone  bool
	}{
		{name: "later than now", when: -1000 * day, bytes: 4 * size, open: size, gone: true},
		{name: "later than now, and small", when: -1000 * day, bytes: size, open: size, gone: true},
		{name: "newer than all, and large", when: 0, bytes: 5 * size, open: size, gone: true},
		{name: "the open one is large itself", when: 10 * time.Hour, bytes: size, open: 5 * size},
	} {
		if test.when == 0 && runtime.GOOS != "linux" {
			continue // it cannot be told from the open one there
		}
		root := t.TempDir()
		for i, name := range []string{"Runner_x.log", "Worker_1.log", "Worker_2.log", "Runner_0.log"} {
			bytes, when := size, time.Duration(9-i)*time.Hour
			switch i {
			case 0:
				bytes, when = test.bytes, test.when
			case 3:
				time.Sleep(20 * time.Millisecond) // the kernel counts changes in ticks
				bytes = test.open
			}
			path := filepath.Join(root, "_diag", name)
			plant(t, root, "_diag/"+name)
			check(t, os.WriteFile(path, make([]byte, bytes), 0o644))
			age(t, path, when)
		}
		tidy(t, root, workspace.Limits{DiagBytes: 3*size + size/2})
		expect(t, filepath.Join(root, "_diag"), []string{"Worker_1.log", "Worker_2.log", "Runner_0.log"}, nil)
		if exists(t, root, "_diag/Runner_x.log") == test.gone {
			t.Errorf("%s: what the job left is there: %t", test.name, !test.gone)
		}
		if t.Failed() {
			t.Fatalf("%s", test.name)
		}
	}
}

func TestTidyWork(t *testing.T) {
	t.Parallel()
	root := runner(t)
	work := filepath.Join(root, "_work")
	plant(t, work, "_temp/young", "_update/bin/x", "_update.sh", "_updateLock", "file", "lost+found/x", "_other/x", ".github/.github/x",
		"deep/deep/.git/index", "deeper/deeper/.git/objects/pack", "deepest/a/b/c/d/e/f/g/h", "dead/a/b/c/d/e/f/g/h", "future/future/x", "_doomed.left/x")
	age(t, work, 31*day)
	age(t, filepath.Join(work, "_temp/young"), 23*time.Hour)
	age(t, filepath.Join(work, "_temp"), 0)
	age(t, filepath.Join(work, "_temp/a"), 25*time.Hour)
	age(t, filepath.Join(work, "deep/deep/.git"), day)             // two levels down: in use
	age(t, filepath.Join(work, "deeper/deeper/.git/objects"), day) // three
	age(t, filepath.Join(work, "deepest/a/b/c/d/e/f/g/h"), 0)      // a file that was written to
	age(t, filepath.Join(work, "future/future"), -day)             // a clock that was set back
	age(t, filepath.Join(work, "_doomed.left"), -day)              // what was begun is ended
	plant(t, root, "_diag/_doomed.left/x", "_doomed.left/x")       // anywhere
	check(t, os.Chmod(filepath.Join(work, ".hidden/x"), 0o400))    // as git's objects are
	freed := tidy(t, root, workspace.DefaultLimits())
	expect(t, work,
		[]string{
			"_temp/young", "_tool/node/20/x64/node", "_actions/o/r/v1/action.yml", "_PipelineMapping/o/r/PipelineFolder.json", "file", "lost+found/x",
			"_other/x", "deep/deep/.git/index", "deeper/deeper/.git/objects/pack", "deepest/a/b/c/d/e/f/g/h", "future/future/x",
		},
		[]string{"_update", "_update.sh", "_updateLock", "repo", ".hidden", ".github", "dead", "_doomed.left", "../_diag/_doomed.left", "../_doomed.left"})
	if exists(t, work, "_temp/a") == exists(t, work, "_temp/young") {
		t.Errorf("_temp has %q", names(t, work, "_temp"))
	}
	if slices.ContainsFunc(names(t, work), func(name string) bool { return strings.HasPrefix(name, "_doomed") }) {
		t.Errorf("something is left half removed: %q", names(t, work))
	}
	for _, want := range []string{"_work/repo", "_work/_temp/a", "_work/_update"} {
		if !slices.Contains(freed.Names, want) {
			t.Errorf("the names are %q, without %q", freed.Names, want)
		}
	}
}

func TestTidyNamesAreBounded(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i := range 100 {
		plant(t, root, fmt.Sprintf("_work/repo%d/x", i))
	}
	age(t, filepath.Join(root, "_work"), 100*day)
	freed := tidy(t, root, workspace.DefaultLimits())
	if freed.Files != 100 || len(freed.Names) != 20 {
		t.Errorf("%d files and %d names, want 100 and 20", freed.Files, len(freed.Names))
	}
}

func TestTidyMissing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if freed, err := workspace.Tidy(t.Context(), root, "", tight(), time.Now()); err != nil || freed.Files != 0 {
		t.Errorf("of an empty folder: %+v, %v", freed, err)
	}
	if _, err := workspace.Tidy(t.Context(), filepath.Join(root, "missing"), "", tight(), time.Now()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a missing folder: %v", err)
	}
}

// budget is a context that ends after it was asked so many times.
type budget struct {
	context.Context
	end  context.CancelCauseFunc
	left int
}

var errJob = errors.New("a job comes")

func (b *budget) Err() error {
	if b.left--; b.left < 0 {
		b.end(errJob)
	}
	return b.Context.Err()
}

// Whenever a job comes, its folders are whole or not there, and a later call does
// what is left.
func TestTidyStops(t *testing.T) {
	t.Parallel()
	root := runner(t)
	repo := []string{"repo/a", "repo/repo/b", "repo/repo/c/d", "repo/repo/e"}
	ended, midway := false, false
	for left := 0; left < 1000 && !ended; left++ {
		plant(t, filepath.Join(root, "_work"), repo...)
		plant(t, root, "bin.1/a", "bin.1/b/c")
		age(t, filepath.Join(root, "_work"), 100*day)
		base, end := context.WithCancelCause(t.Context())
		freed, err := workspace.Tidy(&budget{base, end, left}, root, "", workspace.DefaultLimits(), time.Now())
		stopped := base.Err() != nil
		end(nil)
		if stopped != errors.Is(err, errJob) {
			t.Fatalf("after %d questions: %v", left, err)
		}
		if left == 0 && freed.Files > 0 {
			t.Errorf("%+v after the end", freed)
		}
		if exists(t, root, "_work/repo") {
			expect(t, filepath.Join(root, "_work"), repo, nil)
		}
		left, err := filepath.Glob(filepath.Join(root, "_work", "_doomed.*", "repo", "[be]"))
		check(t, err)
		midway = midway || len(left) == 1
		ended = !stopped
	}
	if !midway {
		t.Error("it never stopped between two files of a folder")
	}
	if !ended {
		t.Fatal("it never came to an end")
	}
	for _, name := range append(names(t, root), names(t, root, "_work")...) {
		if strings.HasPrefix(name, "_doomed") || name == "repo" {
			t.Errorf("%s is left", name)
		}
	}
}
