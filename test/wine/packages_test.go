//go:build e2e && linux

package wine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exceptionsFile lists the tests that do not pass on Wine's Windows, each with the reason.
const exceptionsFile = "testdata/exceptions.txt"

// TestPackages runs the tests of every package, compiled for Windows. One that fails or is skipped must be listed with the
// reason, and one that is listed must fail or be skipped.
func TestPackages(t *testing.T) {
	t.Parallel()
	listed, err := readExceptions(exceptionsFile)
	if err != nil {
		t.Fatal(err)
	}
	build, repository := t.TempDir(), Repository(t)
	m := Boot(t, Options{Share: map[string]string{build: build, repository: repository}})
	found := m.goTest(build, repository, "./internal/...", "./cmd/...")
	for _, name := range slices.Sorted(maps.Keys(found.outcomes)) {
		outcome := found.outcomes[name]
		exception := listed.of(name)
		switch {
		case outcome == passes:
		case exception == nil:
			t.Errorf("%s %s, which is not in %s:\n%s", name, outcome, exceptionsFile, found.said[name])
		case exception.outcome != outcome:
			t.Errorf("%s %s; %s has that it %s", name, outcome, exceptionsFile, exception.outcome)
		default:
			exception.met = true
		}
	}
	for _, e := range listed {
		if !e.met {
			t.Errorf("%s does not list the truth: %s neither fails nor is skipped: remove it", exceptionsFile, e.name)
		}
	}
	t.Logf("%d tests, of which %d are listed as those that fail or are skipped", len(found.outcomes), len(listed))
}

// outcome is how a test ended.
type outcome string

const (
	passes outcome = "passes"
	fails  outcome = "fails"
	skips  outcome = "skips"
)

// exception is a test that does not pass under Wine.
type exception struct {
	name    string // "internal/svc TestX/of it"; what is below that is meant as well
	outcome outcome
	met     bool // it was so this time
}

type exceptions []*exception

// of is the exception that a test falls under, nil if there is none.
func (all exceptions) of(name string) *exception {
	for _, e := range all {
		if name == e.name || strings.HasPrefix(name, e.name+"/") {
			return e
		}
	}
	return nil
}

// readExceptions reads a list: after a line with the reason and a colon, there are lines of "fails PACKAGE TEST" and
// "skips PACKAGE TEST".
func readExceptions(name string) (exceptions, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all exceptions
	reason := ""
	for number, line := range strings.Split(string(text), "\n") {
		wrong := func(why string) error { return fmt.Errorf("%s:%d: %s: %q", name, number+1, why, line) }
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, "\t"):
			if !strings.HasSuffix(line, ":") {
				return nil, wrong("a reason ends with a colon")
			}
			reason = line
		case reason == "":
			return nil, wrong("a test without a reason")
		case len(words) != 3 || words[0] != string(fails) && words[0] != string(skips):
			return nil, wrong("it is no outcome, package and test")
		default:
			e := &exception{name: words[1] + " " + words[2], outcome: outcome(words[0])}
			if all.of(e.name) != nil {
				return nil, wrong("it is listed twice")
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// results are how tests ended, by package and name: those that have none below them, and those that fail although none below
// them does.
type results struct {
	outcomes map[string]outcome
	said     map[string]string
}

// inWine is a program of the shell that go test runs compiled tests with: those of access lists as an administrator. What they
// say goes through a file, see [Machine.start].
const inWine = `#!/bin/sh
case $PWD in */internal/acl) cp %[6]q "$1.manifest" ;; esac
said=$(mktemp %[1]q)
nsenter --target %[2]d --mount --pid --root --wd -- sh -c '%[3]s' sh "$PWD" %[4]s %[5]s "$@" >"$said" 2>&1 </dev/null
code=$?
cat "$said"
exit $code
`

// goTest runs the tests of packages of the repository under Wine.
func (m *Machine) goTest(build, repository string, packages ...string) results {
	m.t.Helper()
	runner := filepath.Join(build, "run")
	var environment []string
	for _, word := range wineEnvironment() {
		environment = append(environment, "'"+word+"'")
	}
	manifest := filepath.Join(build, "manifest")
	if err := os.WriteFile(manifest, []byte(requireAdministrator), 0o600); err != nil {
		m.t.Fatal(err)
	}
	script := fmt.Sprintf(inWine, filepath.Join(m.logs, "XXXXXXXX"), m.first, inMachine, strings.Join(environment, " "), loader, manifest)
	if err := os.WriteFile(runner, []byte(script), 0o700); err != nil {
		m.t.Fatal(err)
	}
	const limit = 8 * time.Minute
	args := []string{"test", "-json", "-vet=off", "-count=1", "-short", "-timeout", limit.String(), "-exec", runner}
	cmd := exec.CommandContext(m.t.Context(), "go", append(args, packages...)...)
	cmd.Dir = repository
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0", "GOTMPDIR="+build)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	// Kept with the logs. That tests fail is said in it.
	events := filepath.Join(m.logs, "packages.json")
	file, err := os.Create(events)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd.Stdout = file
	_ = cmd.Run()
	out, err := os.ReadFile(events)
	if err := errors.Join(err, file.Close()); err != nil {
		m.t.Fatal(err)
	}
	module := strings.TrimSpace(m.output(repository, "go", "list", "-m"))
	found, err := readResults(out, module+"/")
	if err != nil {
		m.t.Fatalf("running the tests: %v\n%s", err, errs.String())
	}
	return found
}

func (m *Machine) output(dir, program string, args ...string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("running %s: %v", program, err)
	}
	return string(out)
}

// readResults understands what go test -json says.
func readResults(text []byte, module string) (results, error) {
	found := results{outcomes: map[string]outcome{}, said: map[string]string{}}
	outcomes := map[string]outcome{"pass": passes, "fail": fails, "skip": skips}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var event struct{ Action, Package, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return found, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		name := strings.TrimPrefix(event.Package, module)
		ended, known := outcomes[event.Action]
		switch {
		case event.Action == "output" || event.Action == "build-output":
			name += " " + event.Test
			found.said[strings.TrimSpace(name)] += event.Output
		case event.Test != "" && known:
			found.outcomes[name+" "+event.Test] = ended
		case ended == fails && !found.failed(name):
			found.outcomes[name] = fails // as a whole: it was ended, or could not be compiled
		}
	}
	for name := range found.outcomes {
		above := name
		for strings.Contains(above, "/Test") || strings.Contains(above, " Test") {
			i := strings.LastIndexByte(above, '/')
			if i < strings.IndexByte(above, ' ') {
				break
			}
			above = above[:i]
			// What a test has below it says more.
			if found.outcomes[name] != passes || found.outcomes[above] == passes {
				delete(found.outcomes, above)
			}
		}
	}
	if len(found.outcomes) == 0 {
		return found, fmt.Errorf("no test was run: %s", text)
	}
	return found, lines.Err()
}

// failed tells whether any test of a package has failed.
func (r results) failed(name string) bool {
	for test, outcome := range r.outcomes {
		if outcome == fails && strings.HasPrefix(test, name+" ") {
			return true
		}
	}
	return false
}
