package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// A listener's own words lead to what mends it, and nothing is offered that could not.
func TestHintForWhatAListenerSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it is what a listener says on Linux")
	}
	const typed = "runner-bootstrap install --url URL --work /srv/x"
	for words, want := range map[string]string{
		"exit code 1: Fail to create and validate runner's work directory '/srv/x'.":        "runner-bootstrap install --url URL --work _work",
		"exit code 137: Failed to create CoreCLR, HRESULT: 0x8007054F":                      typed + " --allow all",
		"exit code 134: Couldn't find a valid ICU package installed on the system.":         underSudo("runner-bootstrap doctor --fix"),
		"exit code 1: libfoo.so: cannot open shared object file: No such file or directory": underSudo("runner-bootstrap doctor --fix"),
		"The SSL connection could not be established, see inner exception.":                 typed + " --ca-file FILE",
		"exit code 1, and it printed nothing":                                               "sudo -u runner /opt/actions-runner/web-1/bin/Runner.Listener --version",
	} {
		call := &session{arguments: []string{"install", "--url", "URL", "--work", "/srv/x"}}
		err := &startup.StartError{
			Service: "actions.runner.o.web-1", Dir: "/opt/actions-runner/web-1", User: "runner", AtOnce: true, Words: words,
		}
		code, hint := call.explain(fmt.Errorf("%w: %w", startup.ErrService, errors.Join(err)))
		if hint != want || code != exitService {
			t.Errorf("for %q code %d and\n%s, want\n%s", words, code, hint, want)
		}
	}
	call := &session{arguments: []string{"install", "--allow", "all"}, options: []group{&lifecycleOptions{allow: []string{"all"}}}}
	err := &startup.StartError{Service: "unit", Words: "exit code 137: Failed to create CoreCLR, HRESULT: 0x8007000E"}
	if _, hint := call.explain(err); hint != "journalctl --no-pager -u unit" {
		t.Errorf("without a sandbox the hint is %s", hint)
	}
}

// What was typed stays, but for what the server cannot do.
func TestHintsThatRegisterInAnotherWay(t *testing.T) {
	noJIT := fmt.Errorf("joining: %w: %w", github.ErrNoJIT, github.ErrNotFound)
	away := &register.ConfigError{Verb: "configuring", Reason: register.ErrUnreachable, Said: "Connection refused (ghes.test:443)"}
	for _, c := range []struct {
		name      string
		err       error
		url       string
		arguments string
		issued    string // a registration token
		want      string
	}{
		{"an old server", noJIT, "https://ghes.test/o", "install --url URL --labels gpu,x --jit --runnergroup big --token-file T", "", "runner-bootstrap install --url URL --labels gpu,x --runnergroup big --token-file T --ephemeral"},
		{"an old server, joined", noJIT, "https://ghes.test/o", "install --jit=true --ephemeral --count 4", "", "runner-bootstrap install --count 4 --ephemeral"},
		{"an old server, by a variable", noJIT, "https://ghes.test/o", "install --url URL", "", "runner-bootstrap install --url URL --jit=false --ephemeral"},
		{"an old server, jitconfig", noJIT, "https://ghes.test/o", "jitconfig --name x", "", "runner-bootstrap install --ephemeral --url https://ghes.test/o"},
		{"a port", away, "https://ghes.test:8443/o", "install --url URL --labels gpu", "", "runner-bootstrap install --url URL --labels gpu --jit"},
		{"a port and both tokens", away, "https://ghes.test:8443/o", "install --url URL --registration-token-file R --token-file T", "", "runner-bootstrap install --url URL --token-file T --jit"},
		{"a port and a registration token", away, "https://ghes.test:8443/o", "install --url URL --registration-token-file R", "R", "runner-bootstrap jitconfig --name NAME --url https://ghes.test:8443/o >FILE"},
		{"the usual port", away, "https://ghes.test:443/o", "install --url URL", "", "runner-bootstrap install --url URL"},
		{"none", away, "https://ghes.test/o", "install --url URL", "", "runner-bootstrap install --url URL"},
		{"none, too slow", &register.ConfigError{Reason: register.ErrSlow}, "https://ghes.test/o", "install --url URL", "", "runner-bootstrap install --url URL"},
		{"a port, too slow", &register.ConfigError{Reason: register.ErrSlow}, "https://ghes.test:8080/o", "install --url URL", "", "runner-bootstrap install --url URL --jit"},
	} {
		call := &session{arguments: strings.Fields(c.arguments), options: []group{&scopeOptions{url: c.url}, &credentialOptions{}}}
		if c.issued == "" {
			call.credential.token = secret.New("t0k3n")
		}
		call.issued.registration = secret.New(c.issued)
		if _, hint := call.explain(c.err); hint != said(c.want) {
			t.Errorf("%s: %s, want %s", c.name, hint, c.want)
		}
	}
}

// A runner that has finished is not started again, whatever else is wrong with it.
func TestHintForAFinishedRunner(t *testing.T) {
	call := &session{arguments: []string{"status"}}
	dir := t.TempDir()
	looked := status.Runner{
		Name: "one", Dir: dir, Phase: instance.Installed, Problems: []string{"it has finished, and GitHub still lists it (id 7, offline)"},
		Listener: status.Listener{State: status.Finished}, GitHub: status.GitHub{State: "offline"},
	}
	code, hint := call.explain(&unhealthyRunnerError{looked})
	if want := "runner-bootstrap uninstall --name one --token-file FILE"; hint != want || code != exitUnhealthy {
		t.Errorf("exit code %d and %s, want %s", code, hint, want)
	}
}

// A name that cannot be filled waits for a cloud that is late, and where there is none takes what is known everywhere.
func TestHintForANameThatIsNotKnown(t *testing.T) {
	for cause, want := range map[error]string{
		metadata.ErrNoAnswer: "runner-bootstrap install --name 'web-{region}' --metadata-wait 5m",
		metadata.ErrNoCloud:  "runner-bootstrap install --name '{hostname}-{random}'",
		metadata.ErrClosed:   "runner-bootstrap install --name '{hostname}-{random}'",
	} {
		call := &session{arguments: []string{"install", "--name", "web-{region}"}}
		code, hint := call.explain(fmt.Errorf("naming the runner: %w: %w", plan.ErrUnfilled, cause))
		if code != exitHost || hint != said(want) {
			t.Errorf("%v: exit code %d and %s, want %s", cause, code, hint, want)
		}
	}
}

// Where the facts of a cloud are required and there are none, what needs them goes, too.
func TestHintForFactsThatAreNotThere(t *testing.T) {
	for _, cause := range []error{
		fmt.Errorf("looking for a cloud: %w", metadata.ErrNoCloud),
		fmt.Errorf("asking: %w: status 403", metadata.ErrClosed),
		fmt.Errorf("%w: asking: %w", metadata.ErrNoAnswer, metadata.ErrClosed),
	} {
		for _, c := range []struct{ arguments, want string }{
			{"install --metadata required --name r-{instance_id}", "runner-bootstrap install --metadata auto --name '{hostname}'"},
			{"install --name=r-{zone}-{n} --metadata=required --count 2", "runner-bootstrap install --count 2 --metadata auto --name '{hostname}'"},
			{"install --metadata required --name web-1 --labels {zone}", "runner-bootstrap install --name web-1 --labels '{zone}' --metadata auto"},
			{"install --metadata required --name {hostname}", "runner-bootstrap install --name '{hostname}' --metadata auto"},
		} {
			call := parsed(t, strings.Fields(c.arguments))
			code, hint := call.explain(fmt.Errorf("naming the runner: filling: %w", cause))
			if code != exitHost || hint != said(c.want) {
				t.Errorf("%v: exit code %d and %s, want %s", cause, code, hint, c.want)
			}
		}
	}
}

// A copy becomes a runner of its own, under a name that is no other's.
func TestHintForACopy(t *testing.T) {
	witness := machine.Witness{Here: instance.Machine{ID: "other"}}
	for scope, want := range map[string]string{
		"https://github.com/o": "runner-bootstrap install --url https://github.com/o --name '{hostname}-{random}' --token-file FILE",
		"::":                   "runner-bootstrap install --url URL --name '{hostname}-{random}' --token-file FILE",
	} {
		call := &session{arguments: []string{"run", "--name", "web-1"}}
		record := instance.Record{Name: "web-1", ScopeURL: scope, Written: instance.Written{Machine: instance.Machine{ID: "first"}}}
		code, hint := call.explain(witness.Check(t.Context(), record))
		if code != exitHost || hint != said(want) {
			t.Errorf("%s: exit code %d and %s, want %s", scope, code, hint, want)
		}
	}
}

// No room is no room, of a disk and of a quota.
func TestHintForNoRoom(t *testing.T) {
	for _, full := range volume.Full() {
		call := &session{arguments: []string{"status"}}
		err := fmt.Errorf("saving record: %w", full)
		code, hint := call.explain(err)
		if want := "free space there, or let it be written elsewhere"; code != exitHost || hint != "" || call.toDo(err, hint) != want {
			t.Errorf("%v: exit code %d, %q and %q, want %d and %q", full, code, hint, call.toDo(err, hint), exitHost, want)
		}
	}
}

// What dpkg could not finish is named with the command for it, and another failure of the same manager is not.
func TestHintForInterruptedPackages(t *testing.T) {
	t.Parallel()
	call := &session{arguments: []string{"doctor", "--fix"}, system: shell.Unix()}
	failed := fmt.Errorf("installing ICU: %w", libraries.ErrInstall)
	for hint, err := range map[string]error{
		"sudo dpkg --configure -a":      fmt.Errorf("%w: %w", libraries.ErrInterrupted, failed),
		"runner-bootstrap doctor --fix": failed,
	} {
		if code, got := call.explain(err); got != hint || code != exitHost {
			t.Errorf("%v has the hint %q and code %d, want %q", err, got, code, hint)
		}
	}
}
