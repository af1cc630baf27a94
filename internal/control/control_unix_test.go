//go:build unix

package control

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// folder is a private one with a short name.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control") //nolint:usetesting // the name of a test makes a path too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "run")
}

func TestTheSocketIsPrivate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"web-1.sock", strings.Repeat("deep", 40) + "/run/" + strings.Repeat("n", 64) + ".sock"} {
		path := filepath.Join(folder(t), name)
		_, agent := listen(t, path)
		state, err := Ask(t.Context(), path)
		if err != nil || state.Name != "web-1" || state.PID != os.Getpid() || state.Report.Job != "build" || len(agent.told) != 0 {
			t.Errorf("%+v, %v, told %v", state, err, agent.told)
		}
		commands := []Command{Drain, Resume, Stop, StopNow}
		for i, command := range commands {
			if state, err := Tell(t.Context(), path, command); err != nil || state.Report.Starts != i+1 {
				t.Errorf("%s: %+v, %v", command, state, err)
			}
		}
		if !slices.Equal(agent.told, commands) {
			t.Errorf("the agent was told %v", agent.told)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("the socket is %v, %v", info, err)
		}
		info, err = os.Lstat(filepath.Dir(path))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its folder is %v, %v", info, err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	if _, err := Ask(t.Context(), path); !errors.Is(err, ErrNoAgent) {
		t.Errorf("without a folder: %v", err)
	}
	leave(t, path)
	if _, err := Tell(t.Context(), path, Drain); !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), path) {
		t.Errorf("at the socket of a killed agent: %v", err)
	}
	server, _ := listen(t, path)
	if _, err := Ask(t.Context(), path); err != nil {
		t.Errorf("after another has taken its place: %v", err)
	}
	if err := server.http.Close(); err != nil {
		t.Error(err)
	}
}

// leave makes the socket of an agent that was killed.
func leave(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseRemovesItsOwnSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	server, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	// One whose place another has taken leaves that alone.
	server, err = Listen(path, &recorder{}, slog.New(slog.DiscardHandler))
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	listen(t, path)
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Ask(t.Context(), path); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

func TestWhatIsNoAgentOfOurs(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(folder(t), "elsewhere.sock")
	listen(t, elsewhere)
	for _, c := range []struct {
		name string
		make func(path string) error
		want error
	}{
		{"a link to an agent", func(path string) error { return os.Symlink(elsewhere, path) }, ErrForeign},
		{"a dangling link", func(path string) error { return os.Symlink("/nonexistent", path) }, ErrForeign},
		{"a file", func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }, ErrForeign},
		{"a pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, ErrForeign},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, ErrForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "a.sock")
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			if err == nil {
				err = c.make(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Ask(t.Context(), path); !errors.Is(err, c.want) {
				t.Errorf("asked: %v", err)
			}
			listen(t, path)
			if _, err := Ask(t.Context(), path); err != nil {
				t.Errorf("after an agent has taken its place: %v", err)
			}
		})
	}
	if _, err := Ask(t.Context(), elsewhere); err != nil {
		t.Errorf("what the link led to: %v", err)
	}
}

// A folder in which others can put a socket is refused: they could speak for the agent.
func TestFolderOfOthers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.sock")
	if _, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a world-writable folder: %v", err)
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := errors.Join(os.Chmod(dir, 0o700), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(link, "a.sock"), &recorder{}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrForeign) {
		t.Errorf("a link to a folder: %v", err)
	}
}

// TestOtherAccounts connects as somebody else to a socket whose mode would let everybody in.
func TestOtherAccounts(t *testing.T) {
	if path := os.Getenv("CONTROL_TEST_SOCKET"); path != "" {
		_, err := Ask(t.Context(), path)
		fmt.Println("asked:", err)
		return
	}
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	path := filepath.Join(folder(t), "a.sock")
	_, agent := listen(t, path)
	for _, open := range []string{filepath.Dir(filepath.Dir(path)), filepath.Dir(path), path} {
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	self := filepath.Join(filepath.Dir(filepath.Dir(path)), "test")
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(self, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestOtherAccounts$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = []string{"CONTROL_TEST_SOCKET=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), ErrAnswer.Error()) || len(agent.told) != 0 {
		t.Errorf("a stranger was answered: %v, told %v\n%s", err, agent.told, output)
	}
	// And the other way round: an agent of somebody else is not believed.
	if err := os.Lchown(path, 54321, 54321); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), path); !errors.Is(err, ErrForeign) {
		t.Errorf("the socket of a stranger: %v", err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := Sweep(t.Context(), dir); err != nil {
		t.Errorf("of no folder: %v", err)
	}
	alive, left := filepath.Join(dir, "alive.sock"), filepath.Join(dir, "left.sock")
	server, err := Listen(alive, &recorder{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	leave(t, left)
	leave(t, filepath.Join(dir, ".4711.sock"))
	file := filepath.Join(dir, "file")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), Sweep(t.Context(), dir)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != "alive.sock" || entries[1].Name() != "file" {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, err := Ask(t.Context(), alive); err != nil {
		t.Errorf("the living one: %v", err)
	}
	if err := errors.Join(server.Close(), os.Remove(file), Sweep(t.Context(), dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// foreign makes a socket that is not an agent's.
func foreign(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return net.Listen("unix", path)
}
