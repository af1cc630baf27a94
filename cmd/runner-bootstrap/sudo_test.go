package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNameFor: the hint's command must be found by a sudo that looks in the system's directories alone.
func TestNameFor(t *testing.T) {
	dir := t.TempDir()
	system, local := filepath.Join(dir, "bin"), filepath.Join(dir, "local bin")
	for _, one := range []string{system, local} {
		if err := os.Mkdir(one, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	place := func(path, text string) string {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elsewhere := place(filepath.Join(local, programName), "a")
	if got := nameFor(elsewhere, system); got != "'"+elsewhere+"'" {
		t.Errorf("elsewhere it is called %s", got)
	}
	if err := os.Symlink(elsewhere, filepath.Join(system, programName)); err != nil {
		t.Fatal(err)
	}
	if got := nameFor(elsewhere, filepath.Join(dir, "none"), system); got != programName {
		t.Errorf("linked, it is called %s", got)
	}
	if err := os.Remove(filepath.Join(system, programName)); err != nil {
		t.Fatal(err)
	}
	there := place(filepath.Join(system, programName), "b")
	if got := nameFor(there, system); got != programName {
		t.Errorf("in the system's directory it is called %s", got)
	}
	if got := nameFor(elsewhere, system); got != "'"+elsewhere+"'" {
		t.Errorf("with another one in the system's directory it is called %s", got)
	}
	later := filepath.Join(dir, "later")
	if err := errors.Join(os.Mkdir(later, 0o755), os.Symlink(elsewhere, filepath.Join(later, programName))); err != nil {
		t.Fatal(err)
	}
	if got := nameFor(elsewhere, system, later); got != "'"+elsewhere+"'" {
		t.Errorf("behind another one, which sudo finds first, it is called %s", got)
	}
}

func TestUnderSudo(t *testing.T) {
	got := underSudo("runner-bootstrap install --url X")
	if !strings.HasPrefix(got, "sudo ") || !strings.HasSuffix(got, " install --url X") || !filepath.IsAbs(strings.Fields(got)[1]) {
		t.Errorf("%s: this test's program is in no directory of the system", got)
	}
	if got := underSudo("chmod a+rx /x"); got != "sudo chmod a+rx /x" {
		t.Error(got)
	}
}

// A hint's calls of this program are made by sudo where this one was.
func TestHintAsCalled(t *testing.T) {
	t.Setenv("SUDO_USER", "")
	const two = "gh auth token | runner-bootstrap install --env A=b --token-file - && runner-bootstrap status"
	if got := hintAsCalled(two); got != two {
		t.Errorf("without sudo it is %q", got)
	}
	t.Setenv("SUDO_USER", "me")
	name := strings.TrimPrefix(asCalled("runner-bootstrap x"), "sudo ")
	name = strings.TrimSuffix(name, " x")
	for hint, want := range map[string]string{
		two:                                 "gh auth token | sudo " + name + " install --env A=b --token-file - && sudo " + name + " status",
		"sleep 3; runner-bootstrap status":  "sleep 3; sudo " + name + " status",
		"runner-bootstrap install --help":   "runner-bootstrap install --help",
		"sudo umount /x":                    "sudo umount /x",
		"sudo runner-bootstrap status":      "sudo runner-bootstrap status",
		"journalctl -u runner-bootstrap -f": "journalctl -u runner-bootstrap -f",
	} {
		if got := hintAsCalled(hint); got != want {
			t.Errorf("%q is %q, want %q", hint, got, want)
		}
	}
}
