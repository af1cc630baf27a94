package libraries

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager makes programs in a folder, which they work in, and returns the path of the first.
func manager(t *testing.T, name, text string, others ...string) (path, folder string) {
	t.Helper()
	folder = t.TempDir()
	programs := append([]string{name, text}, others...)
	for i := 0; i < len(programs); i += 2 {
		script := "#!/bin/sh\ncd " + folder + "\n" + programs[i+1] + "\n"
		syscall.ForkLock.RLock()                                                       // a child that has it open for writing, for a moment, would keep it from being started
		err := os.WriteFile(filepath.Join(folder, programs[i]), []byte(script), 0o700) //nolint:gosec // it is run
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, name), folder
}

// What was cut off in dpkg is finished once where apt asks for that, and is told where dpkg cannot.
func TestInterruptedPackagesAreFinished(t *testing.T) {
	t.Parallel()
	const says = `echo "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem." >&2; exit 100`
	for name, c := range map[string]struct {
		apt, dpkg string
		want      error
		calls     string
	}{
		"it is finished":       {"[ -e finished ] || { " + says + "; }", "echo $DEBIAN_FRONTEND $* >>calls; >finished", nil, "noninteractive --force-confold --configure -a\n"},
		"dpkg fails":           {says, "echo fails >>calls; exit 1", ErrInterrupted, "fails\n"},
		"apt says it again":    {says, "echo once >>calls", ErrInterrupted, "once\n"},
		"somebody has dpkg":    {"[ -e finished ] || { " + says + "; }", "echo x >>calls; [ $(wc -l <calls) = 2 ] || { echo 'dpkg: error: dpkg frontend lock was locked by another process with pid 42' >&2; exit 2; }; >finished", nil, "x\nx\n"},
		"it is something else": {"echo 'E: no such package' >&2; exit 100", "echo x >>calls", ErrInstall, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apt, folder := manager(t, "apt-get", c.apt, "dpkg", c.dpkg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := runner{say: func(string) {}}.run(ctx, apt, "install")
			if !errors.Is(err, c.want) || errors.Is(err, ErrInterrupted) != errors.Is(c.want, ErrInterrupted) {
				t.Errorf("it ends with %v, want %v", err, c.want)
			}
			calls, _ := os.ReadFile(filepath.Join(folder, "calls")) //nolint:errcheck // what is not there is empty
			if string(calls) != c.calls {
				t.Errorf("dpkg was called so: %q, want %q", calls, c.calls)
			}
		})
	}
}

// What a manager has done is no failure because of what comes after it.
func TestSuccessOfManagers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manager, does string
		fails         bool
	}{
		"a service of a package holds the output": {"apt-get", "sleep 12 &", false},
		"the same, after a failure":               {"apt-get", "sleep 12 & exit 100", true},
		"zypper wants a reboot":                   {"zypper", "exit 102", false},
		"zypper wants to be started again":        {"zypper", "exit 103", false},
		"zypper finds no package":                 {"zypper", "exit 104", true},
		"another manager's code":                  {"apt-get", "exit 102", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, _ := manager(t, c.manager, "echo done\n"+c.does)
			text, err := runner{say: func(string) {}}.run(t.Context(), program)
			if (err != nil) != c.fails || !c.fails && text != "done\n" {
				t.Errorf("it says %q, and ends with %v", text, err)
			}
		})
	}
}

// Whatever a manager says, only the end of it is kept.
func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	program, _ := manager(t, "apt-get", "yes 0123456789 | head -c 10000000; echo the end")
	text, err := runner{say: func(string) {}}.run(t.Context(), program)
	if err != nil || len(text) != outputKept || !strings.HasSuffix(text, "the end\n") {
		t.Errorf("%d bytes are kept, %v", len(text), err)
	}
	kept := &tail{most: 4}
	for _, part := range []string{"", "ab", "cdefghij", "k", "lm", "n", "", "opqrs"} {
		if _, err := kept.Write([]byte(part)); err != nil || len(kept.text) > 8 {
			t.Errorf("%q holds %q: %v", part, kept.text, err)
		}
		all := "abcdefghijklmnopqrs"
		if end := kept.String(); !strings.Contains(all, end) || part != "" && !strings.HasSuffix(end, part[max(0, len(part)-4):]) {
			t.Errorf("after %q the end is %q", part, end)
		}
	}
}
