//go:build e2e && linux

package wine

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The machine does what the other tests here take for granted.
func TestMachine(t *testing.T) {
	t.Parallel()
	m := Boot(t, Options{Share: map[string]string{"/source": Repository(t)}})
	const probe = `C:\a place\probe.exe`
	m.Put(Build(t, "test/wine/testdata/probe"), probe)
	t.Run("programs", func(t *testing.T) {
		m := m.For(t)
		said := m.Do(t.Context(), Command{
			Program: "cmd", Args: []string{"/c", "cd & echo %GIVEN% & echo no>&2 & exit 7"}, Dir: `c:\A PLACE`, Env: []string{"GIVEN=a b"},
		})
		if said.Code != 7 || said.Stdout != "C:\\a place\na b \n" || strings.TrimSpace(said.Stderr) != "no" {
			t.Errorf("a program: %s", said)
		}
		if got := m.Must("cmd", "/c", "type", `Z:\source\go.mod`); !strings.HasPrefix(got, "module ") {
			t.Errorf("a shared file holds %q", got)
		}
		if m.Exists(`C:\none`) || !m.Exists(`c:\WINDOWS\system32`) {
			t.Error("a file that is not there is, or one that is there is not")
		}
		m.Write(`C:\made\x.txt`, "here")
		if got := m.Must("cmd", "/c", "type", `C:\made\x.txt`); got != "here" || m.Read(`c:\Made\X.txt`) != "here" {
			t.Errorf("what was written reads %q", got)
		}
		if got := m.Files(`C:\made`); !slices.Equal(got, []string{`C:\made\x.txt`}) {
			t.Errorf("the files are %q", got)
		}
	})
	t.Run("elevation", func(t *testing.T) {
		m := m.For(t)
		before := m.Must(probe, "elevated")
		m.Elevate(probe)
		if after := m.Must(probe, "elevated"); before != "false" || after != "true" {
			t.Errorf("elevated: %s, and %s when it was told", before, after)
		}
	})
	t.Run("network", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello") // the test reads it
		}))
		defer server.Close()
		if got := m.For(t).Must(probe, "get", server.URL); got != "hello" {
			t.Errorf("the test's server answers %q", got)
		}
	})
	t.Run("what is left", func(t *testing.T) { leaves(m.For(t), probe) })
	t.Run("services", func(t *testing.T) { serves(m.For(t), probe) })
}

// leaves shows that what a program leaves goes on, is not waited for, and is found and ended.
func leaves(m *Machine, probe string) {
	m.t.Helper()
	began := time.Now()
	if said := m.Run(m.t.Context(), probe, "spawn", `C:\spawned`); said.Code != 0 || time.Since(began) > 30*time.Second {
		m.t.Fatalf("after %s: %s", time.Since(began), said)
	}
	awaitFile(m, `C:\spawned`)
	running := m.Start(probe, "sleep", `C:\started`)
	awaitFile(m, `C:\started`)
	running.Kill()
	if left := sleepers(m); len(left) != 1 || left[0].Args[2] != `C:\spawned` {
		m.t.Fatalf("when one of two is ended, %v are left", left)
	}
	for _, p := range sleepers(m) {
		if err := p.Kill(); err != nil {
			m.t.Error(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); len(sleepers(m)) > 0; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("ended, and still there: %v", sleepers(m))
		}
	}
}

func sleepers(m *Machine) []Process {
	return slices.DeleteFunc(m.Processes(), func(p Process) bool { return len(p.Args) < 3 || p.Args[1] != "sleep" })
}

// serves shows that services live when nobody waits for them, and come again after a power cut where they start by themselves.
func serves(m *Machine, probe string) {
	m.t.Helper()
	m.Must("sc", "create", "probe", "start=", "auto", "binPath=", `"`+probe+`" serve C:\served`)
	m.Must("sc", "start", "probe")
	first := awaitFile(m, `C:\served`)
	m.Restart()
	for deadline := time.Now().Add(20 * time.Second); awaitFile(m, `C:\served`) == first; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatal("the service did not come again")
		}
	}
	m.Must("sc", "stop", "probe")
	m.Must("sc", "delete", "probe")
	m.Restart()
	const noSuchService = 1060 & 0xff
	if said := m.Run(m.t.Context(), "sc", "query", "probe"); said.Code != noSuchService {
		m.t.Errorf("a deleted service: %s", said)
	}
}

// awaitFile waits until there is something in a file, or an empty one, and returns what is in it.
func awaitFile(m *Machine, windows string) string {
	m.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !m.Exists(windows); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waiting for %q: it is not there", windows)
		}
	}
	return m.Read(windows)
}

// What belongs to a machine ends with it, programs that hang included.
func TestMachineEnds(t *testing.T) {
	t.Parallel()
	var left []Process
	t.Run("life", func(t *testing.T) {
		m := Boot(t, Options{})
		m.Put(Build(t, "test/wine/testdata/probe"), `C:\probe.exe`)
		m.Run(t.Context(), `C:\probe.exe`, "spawn", `C:\spawned`)
		awaitFile(m, `C:\spawned`)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := m.linux(ctx, Command{}, loader, `C:\probe.exe`, "sleep", `C:\hangs`); err == nil {
			t.Error("a program that hangs has ended by itself")
		}
		left = m.Processes()
	})
	if len(left) < 3 {
		t.Errorf("only %v ran", left)
	}
	for _, p := range left {
		if syscall.Kill(p.PID, 0) == nil {
			t.Errorf("it outlived its machine: %v", p)
		}
	}
}
