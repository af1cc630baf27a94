package life

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// smallDisk mounts a file system in memory at a folder of the host's.
func (h *host) smallDisk(folder, options string) {
	h.t.Helper()
	if !mounts() {
		h.t.Skip("no disk is mounted")
	}
	if err := errors.Join(os.MkdirAll(folder, 0o755), syscall.Mount("disk", folder, "tmpfs", 0, options)); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		h.endAll()
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			h.t.Error(err)
		}
	})
}

// fill leaves no room in a folder of the host's, be it for bytes or for names. The function that it returns makes room again.
func (h *host) fill(folder string) (empty func()) {
	h.t.Helper()
	other := filepath.Join(folder, "other")
	if err := os.MkdirAll(other, 0o700); err != nil && !errors.Is(err, syscall.ENOSPC) {
		h.t.Fatal(err)
	}
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(other, fmt.Sprint(time.Now().UnixNano(), i)), make([]byte, 64<<10), 0o600)
	}
	for i := 0; !errors.Is(err, syscall.ENOSPC) && i < 1000; i++ {
		err = os.WriteFile(filepath.Join(other, fmt.Sprint(time.Now().UnixNano(), i)), make([]byte, 4<<10), 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		h.t.Fatalf("it is not full: %v", err)
	}
	return func() {
		if err := os.RemoveAll(other); err != nil {
			h.t.Error(err)
		}
	}
}

// says calls the program, and returns its exit code and all that it has said.
func (h *host) says(args ...string) (code int, said string) {
	h.t.Helper()
	before := len(h.log())
	code = h.call(args...)
	return code, h.log()[before:]
}

// succeeds is an error unless a call of the program does.
func (h *host) succeeds(args ...string) error {
	if code := h.call(args...); code != 0 {
		return fmt.Errorf("%q ends with %d", args, code)
	}
	return nil
}

// unhealthyFor is a status that names what is the matter, and shows what can be done about it.
func (h *host) unhealthyFor(what string) {
	h.t.Helper()
	code, said := h.says("status", "--name", runnerName)
	if code != 9 || !strings.Contains(said, what) || !strings.Contains(said, "df -h") {
		h.t.Errorf("status ends with %d, and says\n%s", code, said)
	}
}

// disks are the ways in which one can be full.
func disks() map[string]string {
	return map[string]string{"no bytes": "size=1m,mode=0755", "no names": "size=64m,nr_inodes=60,mode=0755"}
}

// Where what is kept of a runner has no room, an ephemeral one is registered nowhere, and says why; commands reach its agent. When there is
// room, it goes on by itself.
func TestStateHasNoRoom(t *testing.T) {
	t.Parallel()
	for disk, options := range disks() {
		for _, m := range modes()[1:] {
			t.Run(disk+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				state := filepath.Join(h.dir, "state")
				h.smallDisk(state, options)
				m.install(h)
				run := h.run()
				h.comesUp(1, patience)
				empty := h.fill(state)
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Fatalf("the job: %s, %v", got, err)
				}
				if m.ephemeral {
					h.eventually(patience, "it does not say why", func() error { return h.logs("no space left on device") })
					time.Sleep(6 * time.Second) // it tries once more
					if ids := h.listed(); len(ids) != 0 {
						t.Errorf("GitHub lists %v, which cannot be kept", ids)
					}
				}
				h.unhealthyFor("there is no room where directory")
				h.stops(run)
				h.fill(state) // its socket is gone
				run = h.run()
				if disk == "no names" {
					h.eventually(patience, "it does not say so", func() error { return h.logs("commands cannot reach this agent") })
				} else {
					h.eventually(patience, "it does not begin", func() error { return h.succeeds("drain", "--name", runnerName) })
				}
				empty()
				if disk == "no names" {
					h.eventually(patience, "it cannot be reached", func() error { return h.logs("commands can reach this agent") })
					h.eventually(patience, "it does not begin", func() error { return h.succeeds("drain", "--name", runnerName) })
				}
				if code := h.call("drain", "--resume", "--name", runnerName, "--timeout", "25s"); code != 0 {
					t.Errorf("drain --resume ends with %d", code)
				}
				h.eventually(2*patience, "it does not go on", func() error {
					if r := h.report(); r.State != instance.Idle {
						return fmt.Errorf("state %s", r.State)
					}
					return nil
				})
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Errorf("the next job: %s, %v", got, err)
				}
				if ids := h.listed(); len(ids) > 1 {
					t.Errorf("GitHub lists %v", ids)
				}
				if disk == "no bytes" && strings.Contains(h.log(), "commands cannot reach this agent") {
					t.Error("it says that commands cannot reach it, though its record names the socket")
				}
				h.stops(run)
			})
		}
	}
}

// An agent that has to write something down before it can begin waits for room.
func TestBeginsWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	state := filepath.Join(h.dir, "state")
	h.smallDisk(state, disks()["no bytes"])
	modes()[0].install(h)
	run := h.run()
	h.comesUp(1, patience)
	h.stops(run)
	// As it was killed when it had just registered.
	if _, err := h.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Renewing, r.RunnerID = true, 0 }); err != nil {
		t.Fatal(err)
	}
	empty := h.fill(state)
	run = h.run()
	h.eventually(patience, "it does not wait", func() error { return h.logs("the runner waits until there is some") })
	empty()
	h.comesUp(1, patience)
	h.stops(run)
}

// logs is an error unless the log has the text.
func (h *host) logs(text string) error {
	if !strings.Contains(h.log(), text) {
		return fmt.Errorf("the log does not say %q", text)
	}
	return nil
}

// What fills the disk of a runner is told, and takes nothing from it: neither its registration nor its files. An ephemeral runner gets rid of
// what its own job has left, and goes on.
func TestRunnerHasNoRoom(t *testing.T) {
	t.Parallel()
	for disk, options := range map[string]string{"no bytes": "size=64m,mode=0755", "no names": "nr_inodes=12000,mode=0755"} {
		fill := `cd "$RUNNER_WORKSPACE"; for n in a b; do dd if=/dev/zero of=$n bs=1M; dd if=/dev/zero of=$n$n bs=4k; done; true`
		if disk == "no names" {
			fill = `cd "$RUNNER_WORKSPACE"; perl -e '$i++ while mkdir "d$i"'; true`
		}
		for _, m := range modes()[1:] {
			t.Run(disk+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.smallDisk(filepath.Join(h.dir, "runners"), options)
				m.install(h)
				run := h.run()
				h.comesUp(1, patience)
				before := h.listed()
				if got, err := h.job(fill, patience); err != nil || got != "succeeded" {
					t.Fatalf("the job: %s, %v", got, err)
				}
				if m.ephemeral {
					h.comesUp(2, patience)
				} else {
					h.unhealthyFor("there is no room where directory")
					if ids := h.listed(); !slices.Equal(ids, before) {
						t.Errorf("GitHub lists %v, before %v", ids, before)
					}
					if err := os.RemoveAll(filepath.Join(h.root(), "_work")); err != nil {
						t.Error(err)
					}
				}
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Errorf("the next job: %s, %v", got, err)
				}
				if code, said := h.says("status", "--name", runnerName); code != 0 {
					t.Errorf("with room status ends with %d, and says\n%s", code, said)
				}
				h.stops(run)
				h.fill(filepath.Join(h.dir, "runners"))
				if code := h.call("uninstall", "--name", runnerName, "--token-file", h.token); code != 0 {
					t.Errorf("uninstall on a full disk ends with %d", code)
				}
				if _, err := os.Lstat(h.root()); !errors.Is(err, fs.ErrNotExist) || len(h.listed()) != 0 {
					t.Errorf("after uninstall: %v, GitHub lists %v", err, h.listed())
				}
			})
		}
	}
}

// A job fills the disk on which everything is. Uninstall is what makes room there: it does not need any.
func TestUninstallFromAFullDisk(t *testing.T) {
	t.Parallel()
	for disk, c := range map[string]struct{ options, fills string }{
		"no bytes": {"size=96m,mode=0755", "cat /dev/zero >big || true"},
		"no names": {"size=96m,nr_inodes=30000,mode=0755", "seq 31000 | xargs touch || true"},
	} {
		t.Run(disk, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.smallDisk(h.dir, c.options)
			modes()[1].install(h)
			h.run()
			h.comesUp(1, patience)
			if got, err := h.job(c.fills, patience); err != nil || got != "succeeded" {
				t.Fatalf("the job: %s, %v", got, err)
			}
			if err := os.WriteFile(filepath.Join(h.dir, "state", "x"), make([]byte, 4096), 0o600); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("the disk is not full: %v", err)
			}
			// GitHub may take the runner for busy a moment longer.
			h.eventually(patience, "it is not uninstalled", func() error { return h.succeeds("uninstall", "--name", runnerName) })
			if ids := h.listed(); len(ids) != 0 {
				t.Errorf("GitHub lists %v", ids)
			}
			if _, err := os.Lstat(h.root()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the runner's directory is there: %v", err)
			}
		})
	}
}
