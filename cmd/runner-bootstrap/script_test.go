package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
)

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	// Most of a script is waiting: more of them at once than there are processors, unless the command line says how many.
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"runner-bootstrap": recordedMain})
}

// TestScripts runs the program as a user would, one script for each behaviour,
// against a simulated GitHub that is held to GitHub's OpenAPI description.
func TestScripts(t *testing.T) { runScripts(t, "script") }

func runScripts(t *testing.T, folder string) {
	t.Helper()
	shared := newShared(t)
	dir, files := filepath.Join("testdata", folder), []string(nil)
	if testing.Short() && folder == "script" {
		dir, files = "", atOnce()
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Files:               files,
		Setup:               func(env *testscript.Env) error { return shared.setup(t, env) },
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim":      simCommand,
			"receiver": receiverCommand,
			"nosecret": noSecret,
			"code":     exitCodeCommand,
			"until":    until,
			"follow":   followHint,
			"nohalf":   nothingHalfMade,
		},
	})
}

// atOnce are the scripts in which the program does several things at a time. They
// are what -short leaves: the race detector makes a start of the program take a
// second, and finds nothing in the others.
func atOnce() []string {
	var files []string
	for _, name := range []string{"install", "install_interrupted", "install_killed", "install_resume", "run"} {
		files = append(files, filepath.Join("testdata", "script", name+".txtar"))
	}
	return files
}

// condition adds [root] and [systemd] to testscript's own.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "systemd":
		return servicesAvailable() == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// shared is what all scripts have in common: the compiled listener and the
// description that GitHub's answers are held to.
type shared struct {
	listener string
	contract *contract.Contract
}

func newShared(t *testing.T) *shared {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// Where there is no Go, the one who runs these tests brings the listener along.
	listener := os.Getenv(listenerVariable)
	if listener == "" {
		var err error
		if listener, err = buildListener(ctx, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := contract.New()
	if err != nil {
		t.Fatal(err)
	}
	return &shared{listener: listener, contract: rules}
}

// These say where the simulated listener and the program under test are.
const (
	listenerVariable = "RUNNER_BOOTSTRAP_TEST_LISTENER"
	programVariable  = "RUNNER_BOOTSTRAP_TEST_PROGRAM"
)

// jobAccount runs the jobs when the tests run as root: an account that every
// system has, so that the tests need not create one.
const jobAccount = "nobody"

// typedLine runs one line as if it were typed at the terminal that ttyin made, and stays
// for a moment: the kernel drops what is on its way to a terminal whose session ends.
const typedLine = `sh -c "$1" 2>/dev/tty
code=$?
sleep 0.2
exit $code
`

func (s *shared) setup(t *testing.T, env *testscript.Env) error {
	env.Setenv("PROGRAM", os.Getenv(programVariable))
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	examples, err := filepath.Abs("../../packaging/cloud-init")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	described, err := filepath.Abs(schemas)
	if err != nil {
		return err
	}
	env.Setenv("SCHEMAS", described)
	env.Setenv("TYPED", filepath.Join(env.WorkDir, ".typed"))
	if err := os.WriteFile(filepath.Join(env.WorkDir, ".typed"), []byte(typedLine), 0o600); err != nil {
		return err
	}
	env.Setenv("DIR", filepath.Join(env.WorkDir, "rb"))
	env.Setenv("RUNNER_BOOTSTRAP_LOG_FORMAT", "text") // with fixed keys; logs.txtar is about what people get
	env.Setenv("RUNNER_BOOTSTRAP_PREEMPTION", "off")  // nothing is asked of a cloud that this host may be in
	if os.Geteuid() == 0 {
		// The account must be able to enter the folders above its runner.
		for dir := env.WorkDir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds nothing but test data
				return err
			}
		}
		env.Setenv("RUNNER_BOOTSTRAP_USER", jobAccount)
		env.Setenv("ACCOUNT", jobAccount)
	} else {
		env.Setenv("ACCOUNT", os.Getenv("USER"))
	}
	env.Values[worldKey{}] = &world{shared: s, work: env.WorkDir, fail: t.Errorf, name: filepath.Base(env.WorkDir)}
	env.Defer(func() { env.Values[worldKey{}].(*world).close() })
	return nil
}
