package register

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRoomStartsPrograms: a cache from which no programs start, as below a hardened /var, has no rooms: config.sh is a program.
func TestRoomStartsPrograms(t *testing.T) {
	const inside = "RUNNER_BOOTSTRAP_TEST_ROOM"
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	if os.Getenv(inside) == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	cache, runners := filepath.Join(dir, "cache"), filepath.Join(dir, "runners")
	for _, err := range []error{
		os.Mkdir(cache, 0o755), os.Mkdir(runners, 0o755),
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
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
