package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/term"
)

// outputLog holds everything that the program has printed in a script.
const outputLog = ".printed"

// recordedMain is main, with everything that it prints also written to
// outputLog, so that no output of any script escapes the search for secrets. A
// terminal stays one.
func recordedMain() {
	log, err := os.OpenFile(filepath.Join(os.Getenv("WORK"), outputLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := recorded(os.Stdout, log)
	if len(os.Args) > 1 && (os.Args[1] == "token" || os.Args[1] == "jitconfig") {
		out = os.Stdout // what they are asked for is a secret, and belongs there alone
	}
	held := &heldToSchema{Writer: out}
	if slices.Contains(os.Args, "--json") {
		out = held
	}
	code := run(os.Args[1:], streams{in: os.Stdin, out: out, err: recorded(os.Stderr, log)})
	if err := held.check(os.Getenv("SCHEMAS"), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 99
	}
	os.Exit(code)
}

func recorded(stream, log *os.File) io.Writer {
	if term.IsTerminal(int(stream.Fd())) {
		return stream
	}
	return io.MultiWriter(stream, log)
}

// noSecret is the script command: it looks for every secret in play in the
// arguments and environments of programs, in files, and in all output. It is
// also done at the end of every script.
func noSecret(ts *testscript.TestScript, _ bool, _ []string) {
	w := theWorld(ts)
	ts.Check(w.findSecrets())
	// What the latest program wrote past its streams.
	for _, secret := range w.server.Secrets() {
		for _, stream := range []string{"stdout", "stderr"} {
			if strings.Contains(ts.ReadFile(stream), secret) {
				ts.Fatalf("a secret is on %s", stream)
			}
		}
	}
}

func (w *world) findSecrets() error {
	var found error
	for _, secret := range w.server.Secrets() {
		found = errors.Join(found, w.inWitnesses(secret), inProcesses(secret), w.inFiles(secret))
	}
	for _, request := range w.server.Requests() {
		if request.CarriedSecret {
			found = errors.Join(found, fmt.Errorf("%s %s carried a secret where none belongs", request.Method, request.Path))
		}
	}
	return found
}

// inWitnesses looks at how the runner's programs were started. config.sh alone
// is given a secret, and in one variable alone: never the access token.
func (w *world) inWitnesses(secret string) error {
	for _, one := range w.server.Witnesses() {
		if strings.Contains(strings.Join(slices.Concat(one.Argv, one.ParentArgv), "\n"), secret) {
			return fmt.Errorf("a secret is among the arguments of %s", one.Command)
		}
		for _, variable := range one.Environ {
			allowed := strings.HasPrefix(variable, "ACTIONS_RUNNER_INPUT_TOKEN=") &&
				(one.Command == "configure" || one.Command == "remove") && secret != w.server.Token()
			if strings.Contains(variable, secret) && !allowed {
				key, _, _ := strings.Cut(variable, "=")
				return fmt.Errorf("a secret is in variable %s of %s", key, one.Command)
			}
		}
	}
	return nil
}

// inProcesses looks at the arguments of everything that runs.
func inProcesses(secret string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		// A process may end while we look.
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(secret)) {
			return fmt.Errorf("a secret is among the arguments of process %s", filepath.Base(filepath.Dir(file)))
		}
	}
	return nil
}

// inFiles looks at every file of the script, the program's output included, but
// not at those called token*, which the script itself has written: or the program,
// which keeps registration tokens for the next runner, and then privately.
func (w *world) inFiles(secret string) error {
	return filepath.WalkDir(w.work, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // a file may go while we look
		}
		if strings.HasPrefix(entry.Name(), "token") {
			info, err := entry.Info()
			if err == nil && filepath.Base(filepath.Dir(path)) == "state" && info.Mode().Perm() != 0o600 {
				return fmt.Errorf("%s is %s", path, info.Mode())
			}
			return nil //nolint:nilerr // as above
		}
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(secret)) {
			return fmt.Errorf("a secret is in %s", path)
		}
		return nil
	})
}
