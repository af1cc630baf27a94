package places

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

func TestCheckPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := instance.DefaultPaths(filepath.Join(dir, "rb"))
	user, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(ForInstall(paths, Need{Bytes: 1, Files: 1}, false), user); err != nil {
		t.Errorf("a folder of ours: %v", err)
	}
	v, err := volume.Of(dir)
	if err != nil {
		t.Fatal(err)
	}
	share := v.Bytes/2 + 1<<30
	err = Check([]Place{{Path: dir, Need: Need{Bytes: share}}}, user)
	if share < v.Bytes && err != nil {
		t.Errorf("one that fits: %v", err)
	}
	err = Check([]Place{{Path: dir, Need: Need{Bytes: share}}, {Path: filepath.Join(dir, "a", "b"), Need: Need{Bytes: share}}}, user)
	var place *Error
	if !errors.Is(err, download.ErrSpace) || !errors.As(err, &place) || place.Path != dir || !strings.Contains(err.Error(), "MB free") {
		t.Errorf("two that fit alone, and not together: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check([]Place{{Path: filepath.Join(file, "below")}}, user); !errors.Is(err, ErrPlace) {
		t.Errorf("below a file: %v", err)
	}
	if v := (volume.Volume{Sized: true, Bytes: 10, Files: 1, Counted: true}); lacks(v, dir, Need{Files: 1}) != nil || !errors.Is(lacks(v, dir, Need{Files: 2}), ErrInodes) {
		t.Errorf("two files in room for one: %v", lacks(v, dir, Need{Files: 2}))
	}
	if problem := lacks(volume.Volume{Sized: true, Bytes: 10}, dir, Need{Files: 9}); problem != nil {
		t.Errorf("a file system that does not count files: %v", problem)
	}
	if problem := lacks(volume.Volume{}, dir, Need{Bytes: 9, Files: 9}); problem != nil {
		t.Errorf("a file system that does not tell its size: %v", problem)
	}
	if account.Privileged() || runtime.GOOS == "windows" { // where a mode keeps nobody out
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := Check([]Place{{Path: dir}}, user); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a folder that may not be written: %v", err)
	}
}
