package workspace_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

func TestMake(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	inode, err := workspace.Make(made, -1, -1)
	check(t, err)
	check(t, workspace.Check(made, inode))
	again, err := workspace.Make(made, -1, -1)
	check(t, err)
	if again != inode {
		t.Errorf("made again it is %d, not %d", again, inode)
	}
	plant(t, dir, "made/file")
	if _, err := workspace.Make(made, -1, -1); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made over what is full: %v", err)
	}
	if workspace.RemoveEmpty(made) {
		t.Error("a full folder is gone")
	}
	check(t, workspace.Remove(made, inode))
	check(t, workspace.Remove(made, inode))
	if names := names(t, dir); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
	if !workspace.RemoveEmpty(made) {
		t.Error("what is gone is not gone")
	}
}

// TestMadeByOthers: what somebody has put into its place is left alone.
func TestMadeByOthers(t *testing.T) {
	dir := t.TempDir()
	made, other := filepath.Join(dir, "made"), filepath.Join(dir, "other")
	inode, err := workspace.Make(made, -1, -1)
	check(t, err)
	plant(t, dir, "other/precious")
	check(t, os.Rename(made, filepath.Join(dir, "away")))
	if err := workspace.Check(made, inode); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	check(t, os.Rename(other, made))
	if inode == 0 {
		t.Skip("this file system does not tell folders apart")
	}
	for name, err := range map[string]error{"Check": workspace.Check(made, inode), "Remove": workspace.Remove(made, inode)} {
		if !errors.Is(err, workspace.ErrOther) {
			t.Errorf("%s of another folder: %v", name, err)
		}
	}
	expect(t, made, []string{"precious"}, nil)
}

// TestMadeIsALinkNow: a link in its place is not followed.
func TestMadeIsALinkNow(t *testing.T) {
	dir := t.TempDir()
	made, other := filepath.Join(dir, "made"), filepath.Join(dir, "other")
	inode, err := workspace.Make(made, -1, -1)
	check(t, err)
	plant(t, dir, "other/precious")
	check(t, os.Remove(made))
	link(t, other, dir, "made")
	for name, err := range map[string]error{"Check": workspace.Check(made, inode), "Remove": workspace.Remove(made, inode)} {
		if !errors.Is(err, folders.ErrNotFolder) {
			t.Errorf("%s of a link: %v", name, err)
		}
	}
	if _, err := workspace.Make(made, -1, -1); !errors.Is(err, folders.ErrNotFolder) {
		t.Errorf("Make over a link: %v", err)
	}
	expect(t, other, []string{"precious"}, nil)
}
