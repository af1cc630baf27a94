package register

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
)

// TestRoomStartsPrograms: a cache from which no programs start, as below a hardened /var, has no rooms: config.sh is a program.
func TestRoomStartsPrograms(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	cache, runners := filepath.Join(dir, "cache"), filepath.Join(dir, "runners")
	for _, err := range []error{
		os.Mkdir(cache, 0o755), os.Mkdir(runners, 0o755),
		syscall.Mount(cache, cache, "", syscall.MS_BIND, ""),
		syscall.Mount("", cache, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_NOEXEC, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := Room{Copies: Copies{Folders: RoomsOf(cache, runners)}}
	_, lock, err := r.claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at := filepath.Dir(lock.Path()); at != r.Folders[1] {
		t.Errorf("the room is in %q, want one in %q", at, r.Folders[1])
	}
	lock.Remove()
	if err := syscall.Unmount(cache, 0); err != nil {
		t.Error(err)
	}
}
