package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMain is a program that prints its arguments, for the tests that run this one with a space in its path.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "words" {
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[2:], "|") + "\n")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestCommand: quotes and blanks arrive as a person who types them means them, and so does what the shell itself reads.
func TestCommand(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "a place", "words.exe")
	if err := os.Mkdir(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	both := `echo one&& echo two`
	lines := map[string]string{`"` + program + `" words "a b" c`: "a b|c", both: "one|two", `exit 7`: ""}
	if runtime.GOOS == "windows" {
		lines[`echo %RUNNER_NAME%`] = "vm"
	} else {
		lines[`echo "$RUNNER_NAME"`] = "vm"
	}
	for line, want := range lines {
		cmd := Command(t.Context(), line)
		cmd.Env = append(os.Environ(), "RUNNER_NAME=vm")
		out, err := cmd.Output()
		if got := strings.Join(strings.Fields(strings.ReplaceAll(string(out), " ", "_")), "|"); got != strings.ReplaceAll(want, " ", "_") {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
		if code := exitCode(err); code != map[bool]int{true: 7}[line == "exit 7"] {
			t.Errorf("%s: exit code %d", line, code)
		}
	}
}

func exitCode(err error) int {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it as it is
		return exit.ExitCode()
	}
	return 0
}
