//go:build unix

package infrastructure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBakeWaitsForLocks: whichever package manager an image has, a lock that another one holds is waited for, and nothing else is.
func TestBakeWaitsForLocks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../packaging/packer/bake.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		manager, says string
		waits         bool
	}{
		"lists of apt":          {"apt-get", "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)", true},
		"archives of apt":       {"apt-get", "E: Unable to lock directory /var/cache/apt/archives/", true},
		"dpkg":                  {"apt-get", "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)", true},
		"rpm":                   {"dnf", "error: can't create transaction lock on /var/lib/rpm/.rpm.lock", true},
		"zypper":                {"zypper", "System management is locked by the application with pid 42 (zypper).", true},
		"a package that is not": {"apt-get", "E: Unable to locate package no-such", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // it is run
					t.Fatal(err)
				}
			}
			write("bake.sh", strings.Replace(string(text), "folder=/tmp/runner-bootstrap\n", "folder="+filepath.Join(dir, "folder")+"\n", 1))
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			write("folder/install.sh", "exit 0\n")
			write(c.manager, "#!/bin/sh\necho x >>$DIR/tries\n[ $(wc -l <$DIR/tries) -gt 2 ] || { echo \"$SAYS\" >&2; exit 100; }\n")
			write("sleep", "#!/bin/sh\necho slept >>$DIR/slept\n")
			write("runner-bootstrap", "#!/bin/sh\necho \"$@\"\n")
			for _, tool := range []string{"sh", "mktemp", "cat", "grep", "rm", "wc"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.Command(filepath.Join(dir, "sh"), filepath.Join(dir, "bake.sh"))
			command.Env = []string{"PATH=" + dir, "DIR=" + dir, "SAYS=" + c.says, "PACKAGES=git", "PROGRAM_VERSION=1.2.3", "CHECKSUMS_SHA256=00"}
			out, err := command.CombinedOutput()
			_, slept := os.Stat(filepath.Join(dir, "slept"))
			if (err == nil) != c.waits || (slept == nil) != c.waits || strings.Contains(string(out), "waiting for a lock") != c.waits {
				t.Errorf("it waits: %t; %v\n%s", slept == nil, err, out)
			}
		})
	}
}
