package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
)

// A listener's own words lead to what mends it, and nothing is offered that could not.
func TestHintForWhatAListenerSaid(t *testing.T) {
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
		err := &bootstrap.StartError{
			Service: "actions.runner.o.web-1", Dir: "/opt/actions-runner/web-1", User: "runner", AtOnce: true, Words: words,
		}
		code, hint := call.explain(fmt.Errorf("%w: %w", bootstrap.ErrService, errors.Join(err)))
		if hint != want || code != exitService {
			t.Errorf("for %q code %d and\n%s, want\n%s", words, code, hint, want)
		}
	}
	call := &session{arguments: []string{"install", "--allow", "all"}, options: []group{&lifecycleOptions{allow: []string{"all"}}}}
	err := &bootstrap.StartError{Service: "unit", Words: "exit code 137: Failed to create CoreCLR, HRESULT: 0x8007000E"}
	if _, hint := call.explain(err); hint != "journalctl --no-pager -u unit" {
		t.Errorf("without a sandbox the hint is %s", hint)
	}
}
