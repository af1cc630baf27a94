package life

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// hang mounts a file system that does not answer. The function that it returns ends that, and all that waits for it.
func (h *host) hang(at string) (heal func()) {
	h.t.Helper()
	if !mounts() {
		h.t.Skip("nothing is mounted")
	}
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		h.t.Skipf("there is no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device.Fd())
	if err := syscall.Mount("hung", at, "fuse.hung", 0, options); err != nil {
		h.t.Skipf("FUSE cannot be mounted here: %v", errors.Join(err, device.Close()))
	}
	healed := false
	heal = func() {
		if healed {
			return
		}
		healed = true
		if err := errors.Join(syscall.Unmount(at, syscall.MNT_DETACH), device.Close()); err != nil {
			h.t.Error(err)
		}
	}
	h.t.Cleanup(heal)
	return heal
}

// An agent waits neither for the folder for jobs nor for that for logs, if something is mounted there that does not answer. It says so, and
// the runner works again when that is over.
func TestFolderDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"_work", "_diag", "jobs", "disk"} { // the latter two are where --work says, and what is above it
		for _, m := range modes()[1:] {
			t.Run(folder+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				disk := filepath.Join(h.base, "disk")
				at := map[string]string{"jobs": filepath.Join(disk, "jobs"), "disk": disk}[folder]
				if at == "" {
					at = filepath.Join(h.root(), folder)
					m.install(h)
				} else {
					if err := os.Mkdir(disk, 0o755); err != nil {
						t.Fatal(err)
					}
					m.install(h, "--work", filepath.Join(disk, "jobs"))
				}
				run := h.run()
				h.comesUp(1, patience)
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Fatalf("the job: %s, %v", got, err)
				}
				if m.ephemeral {
					h.comesUp(2, patience)
				}
				h.stops(run)
				// Without the folder that jobs were given no listener is of use, and the one that is started waits for it.
				sign := map[bool]string{true: `"listener started"`, false: "does not answer"}[at == filepath.Join(h.root(), folder)]
				before := strings.Count(h.log(), sign)
				heal := h.hang(at)
				run = h.run()
				h.eventually(2*patience, "it waits for what does not answer", func() error {
					if strings.Count(h.log(), sign) == before {
						return fmt.Errorf("the log does not say %q", sign)
					}
					return nil
				})
				if code, said := h.says("status", "--name", runnerName); code != 9 || !strings.Contains(said, "does not answer") || !strings.Contains(said, "findmnt") {
					t.Errorf("status ends with %d, and says\n%s", code, said)
				}
				heal()
				h.eventually(2*patience, "it does not work again", func() error {
					if r := h.report(); r.State != instance.Idle {
						return fmt.Errorf("state %s", r.State)
					}
					return nil
				})
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Errorf("the next job: %s, %v", got, err)
				}
				h.stops(run)
			})
		}
	}
}

// Uninstall ends beside a folder that does not answer, too: it says which, and goes on once it answers. What is mounted on a folder
// outside of the runner's is somebody's, and is left without a question.
func TestUninstallBesideAFolderThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"_work", "_diag", "jobs", "disk"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			disk := filepath.Join(h.base, "disk")
			at := map[string]string{"jobs": filepath.Join(disk, "jobs"), "disk": disk}[folder]
			if err := os.Mkdir(disk, 0o755); err != nil {
				t.Fatal(err)
			}
			m := modes()[1]
			if at == "" {
				at = filepath.Join(h.root(), folder)
				m.install(h)
			} else {
				m.install(h, "--work", filepath.Join(disk, "jobs"))
			}
			run := h.run()
			h.comesUp(1, patience)
			if got, err := h.job("true", patience); err != nil || got != "succeeded" {
				t.Fatalf("the job: %s, %v", got, err)
			}
			h.stops(run)
			heal := h.hang(at)
			code, said := h.says("uninstall", "--name", runnerName, "--token-file", h.token)
			if ends := map[bool]int{true: 0, false: 3}[folder == "jobs"]; code != ends || !strings.Contains(said, at) || len(h.listed()) > 0 {
				t.Errorf("uninstall ends with %d, and says\n%s\nGitHub lists %v", code, said, h.listed())
			}
			heal()
			if code := h.call("uninstall", "--name", runnerName, "--token-file", h.token); code != 0 {
				t.Errorf("once it answers uninstall ends with %d", code)
			}
			if _, err := os.Lstat(h.root()); !errors.Is(err, fs.ErrNotExist) || len(h.listed()) != 0 {
				t.Errorf("after uninstall: %v, GitHub lists %v", err, h.listed())
			}
		})
	}
}

// A runner does its jobs, and ends, where its metrics cannot be written; they are again once that answers. Install and uninstall end too.
func TestMetricsWhereNothingAnswers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	disk := filepath.Join(h.base, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(disk, "runner.prom")
	modes()[1].install(h, "--metrics-file", file)
	heal := h.hang(disk)
	run := h.run()
	h.comesUp(1, patience)
	for range 2 {
		if got, err := h.job("true", patience); err != nil || got != "succeeded" {
			t.Fatalf("the job: %s, %v", got, err)
		}
	}
	if code, said := h.says("uninstall", "--name", runnerName, "--token-file", h.token); code != 3 || !strings.Contains(said, file) {
		t.Errorf("uninstall ends with %d, and says\n%s", code, said)
	}
	if code, err := run.code(patience); err != nil || code != 0 {
		t.Errorf("the agent ends with %d, %v", code, err)
	}
	heal()
	if code := h.call("uninstall", "--name", runnerName, "--token-file", h.token); code != 0 {
		t.Errorf("once it answers uninstall ends with %d", code)
	}
}

// Install is told paths of a file system that does not answer: it ends by itself, names the path, and leaves nothing.
func TestInstallIsToldWhatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for option, name := range map[string]string{
		"--work": "jobs", "--metrics-file": "runner.prom", "--config": "config.yaml", "--ca-file": "authority.pem", "--token-file": "token",
		"--app-key-file": "key.pem", "--status-webhook-secret-file": "secret", "--dir": "",
	} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			disk := filepath.Join(h.base, "disk")
			if err := os.Mkdir(disk, 0o755); err != nil {
				t.Fatal(err)
			}
			args := h.installWords(option, filepath.Join(disk, name))
			if option == "--dir" {
				h.dir, args = filepath.Join(disk, "rb"), h.installWords() // with which everything is called
			}
			defer h.hang(disk)()
			switch option {
			case "--token-file":
			case "--app-key-file":
				args = append(args, "--app-id", "1")
			case "--status-webhook-secret-file":
				args = append(args, "--status-webhook", h.server.URL(), "--token-file", h.token)
			default:
				args = append(args, "--token-file", h.token)
			}
			code, said := h.says(args...)
			if code != 3 || !strings.Contains(said, "does not answer") || !strings.Contains(said, disk) || !strings.Contains(said, "hint=findmnt") {
				t.Errorf("install ends with %d, and says\n%s", code, said)
			}
			if all := h.listed(); len(all) > 0 {
				t.Errorf("GitHub lists %v", all)
			}
		})
	}
}
