package workspace_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// TestTidyBesideWhatHangs: what is mounted in a work folder may be of a server that does not answer. Nothing waits for it.
func TestTidyBesideWhatHangs(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root := runner(t)
	places := []string{"_work/_tool", "_work/_temp/x", "_work/repo/repo/x", "_work/mounted", "_diag/x", "_diag/pages/x"}
	for _, name := range places {
		device := hang(t, filepath.Join(root, name))
		defer device.Close() // ends all that waits for it
	}
	ended := make(chan error, 1)
	go func() {
		_, err := workspace.Tidy(t.Context(), root, "", tight(), time.Now().Add(1000*time.Hour))
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%v, want %v", err, removal.ErrMounted)
		}
		expect(t, root, nil, []string{"_work/repo/repo/main.go", "_diag/pages/p.1"})
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

// TestFoldersThatHang: what is mounted in the place of a runner's own folders, or on the way to one that was given, may be of such a server
// as well.
func TestFoldersThatHang(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root, out := runner(t), t.TempDir()
	given := filepath.Join(out, "disk", "given")
	for _, name := range []string{filepath.Join(root, "_work"), filepath.Join(root, "_diag"), filepath.Join(out, "jobs"), filepath.Join(out, "disk")} {
		device := hang(t, name)
		defer device.Close() // ends all that waits for it
	}
	check(t, os.Symlink(given, filepath.Join(root, "_link")))
	var tests sync.WaitGroup
	for name, c := range map[string]struct {
		do   func() error
		want error
	}{
		"Straighten": {func() error { _, err := workspace.Straighten(root, "", 0); return err }, folders.ErrSilent},
		"Straighten, where a link leads": {func() error {
			_, err := workspace.Straighten(root, "_link", 0)
			return err
		}, folders.ErrSilent},
		"Empty":                 {func() error { return workspace.Empty(root, "", -1) }, removal.ErrMounted},
		"EmptyLogs":             {func() error { return workspace.EmptyLogs(root, -1) }, folders.ErrSilent},
		"Check":                 {func() error { return workspace.Check(filepath.Join(out, "jobs"), 1) }, removal.ErrMounted},
		"Check, below it":       {func() error { return workspace.Check(given, 1) }, folders.ErrSilent},
		"Remove":                {func() error { return workspace.Remove(filepath.Join(out, "jobs"), 1) }, removal.ErrMounted},
		"Tidy":                  {func() error { return tidies(t, root, "") }, folders.ErrSilent},
		"Tidy, elsewhere":       {func() error { return tidies(t, root, filepath.Join(out, "jobs")) }, folders.ErrSilent},
		"Make, where it exists": {func() error { _, err := workspace.Make(filepath.Join(out, "jobs"), -1, -1); return err }, removal.ErrMounted},
	} {
		ended := make(chan error, 1)
		go func() { ended <- c.do() }()
		tests.Go(func() {
			select {
			case err := <-ended:
				if !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", name, err, c.want)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("%s waits", name)
			}
		})
	}
	tests.Wait()
	if _, err := os.Readlink(filepath.Join(root, "_link")); err != nil {
		t.Errorf("a link to what does not answer: %v", err)
	}
}

func tidies(t *testing.T, root, work string) error {
	t.Helper()
	_, err := workspace.Tidy(t.Context(), root, work, tight(), time.Now().Add(1000*time.Hour))
	return err
}

// hang mounts a file system of this process's, which never answers.
func hang(t *testing.T, target string) (device *os.File) {
	t.Helper()
	check(t, os.MkdirAll(target, 0o755))
	return mounttest.Hang(t, target)
}
