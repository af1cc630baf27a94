//go:build e2e && linux

package stage

import (
	"maps"
	"os"
	"runtime"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

const (
	// Program is where the compiled program is in the machine.
	Program = "/usr/local/bin/runner-bootstrap"
	// Token is the file in the machine that holds a token which may administer runners.
	Token = "/root/token"
	// Version is that of the runner on offer.
	Version = "2.337.0"

	// programVariable names a program of another commit to take instead of this one's: so a test is seen to fail where
	// what it holds did not hold yet.
	programVariable = "RUNNER_BOOTSTRAP_E2E_PROGRAM"
)

// Stage is a machine with the program in it, and its GitHub.
type Stage struct {
	*machine.Machine

	Server *githubtest.Server
}

// Set boots a machine with the program in it, and starts a GitHub there. Both end with the test.
func Set(t testing.TB, o machine.Options, spec githubtest.ArchiveSpec) *Stage {
	t.Helper()
	built := os.Getenv(programVariable)
	if built == "" {
		built = machine.Build(t, "cmd/runner-bootstrap")
	}
	o.Copy = maps.Clone(o.Copy)
	if o.Copy == nil {
		o.Copy = map[string]string{}
	}
	o.Copy[built] = Program
	m := machine.Boot(t, o)
	s := &Stage{Machine: m, Server: Serve(t, m, spec)}
	s.Write(Token, s.Server.Token()+"\n", 0o600)
	return s
}

// For returns the same stage for a subtest, which then is the one that fails.
func (s *Stage) For(t testing.TB) *Stage { return &Stage{Machine: s.Machine.For(t), Server: s.Server} }

// Serve starts a GitHub in the machine that offers the archive which spec describes; its platform is this host's. What
// breaks GitHub's rules fails the test.
func Serve(t testing.TB, m *machine.Machine, spec githubtest.ArchiveSpec) *githubtest.Server {
	t.Helper()
	return ServeAs(t, m, spec, githubtest.Config{})
}

// ServeAs is Serve with a GitHub that is set up in another way.
func ServeAs(t testing.TB, m *machine.Machine, spec githubtest.ArchiveSpec, config githubtest.Config) *githubtest.Server {
	t.Helper()
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	spec.Platform = platform.String()
	archive, err := githubtest.NewArchive(spec)
	if err != nil {
		t.Fatal(err)
	}
	config.API, config.Archives, config.Archive = m.Listen(t), m.Listen(t), archive
	return contract.Start(t, config)
}

// Listener compiles the simulated listener into dir and returns its path.
func Listener(t testing.TB, dir string) string {
	t.Helper()
	listener, err := githubtest.BuildListener(t.Context(), dir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
