package control

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// folder is where the pipes of one test are.
func folder(t *testing.T) string {
	t.Helper()
	return pipes + `runner-bootstrap\test-` + strings.ToLower(rand.Text())
}

// foreign makes a pipe that is not an agent's.
func foreign(path string) (net.Listener, error) {
	return listenPipe(path, acl.PrivatePipe())
}

// Another agent may listen at once when one has ended.
func TestCloseLetsTheNextOneListen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), strings.Repeat("n", 64)+".sock")
	for range 5 {
		server, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Ask(t.Context(), path); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := Sweep(t.Context(), filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

// What is no pipe is never opened.
func TestWhatIsNoPipe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.sock")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, `\\elsewhere\pipe\runner-bootstrap\a`, pipes, ""} {
		if _, err := Ask(t.Context(), path); !errors.Is(err, ErrForeign) {
			t.Errorf("asked at %q: %v", path, err)
		}
		if _, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrForeign) {
			t.Errorf("listened at %q: %v", path, err)
		}
	}
}

// Somebody else's pipe of that name is not believed, and keeps an agent from listening beside it. That Windows lets nobody in
// whom the list of ours does not name cannot be shown where the tests run: Wine lets everybody in.
func TestPipeOfAStranger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	listener, err := listenPipe(path, "O:S-1-5-21-1-2-3-1001D:(A;;GA;;;WD)")
	if err != nil {
		t.Skip("Windows lets nobody name another one as the owner: ", err)
	}
	defer listener.Close()
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			_ = conn.Close() // who asks is to hear nothing
		}
	}()
	if _, err := Ask(t.Context(), path); !errors.Is(err, ErrForeign) {
		t.Errorf("asked: %v", err)
	}
	if _, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrForeign) {
		t.Errorf("listened: %v", err)
	}
}

// A pipe that somebody has made before, under any name that an agent has had, keeps no agent from listening.
func TestPlaceCannotBeTaken(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	first := Place(folder, "web-1")
	taken, err := foreign(first)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	next := Place(folder, "web-1")
	server, err := Listen(next, &recorder{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("beside %q, at %q: %v", first, next, err)
	}
	if _, err := Ask(t.Context(), next); err != nil {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
