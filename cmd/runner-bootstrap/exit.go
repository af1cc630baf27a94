package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// exitCode is what a script learns.
type exitCode struct {
	code   int
	means  string
	should string // what a script should do
}

// The exit codes, which scripts rely on.
const (
	exitDone        = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitHost        = 3
	exitCredential  = 4
	exitNetwork     = 5
	exitArchive     = 6
	exitRefused     = 7
	exitService     = 8
	exitUnhealthy   = 9
	exitInterrupted = 130
)

// exitCodes describes them for the README.
func exitCodes() []exitCode {
	return []exitCode{
		{exitDone, "done, or already so", "go on"},
		{exitUnexpected, "unexpected", "report it"},
		{exitUsage, "usage: option, URL, combination, configuration file", "fix the call"},
		{exitHost, "this host cannot: privileges, platform, library, space, locked", "fix the host"},
		{exitCredential, "credential missing, refused or too weak", "fix the token"},
		{exitNetwork, "network, GitHub, or rate limit, after retries", "try later"},
		{exitArchive, "the archive is not what was promised: digest, unsafe path, truncated", "stop, look"},
		{exitRefused, "registration refused: name, group, version, other options, busy", "choose otherwise"},
		{exitService, "the service manager refused, or the service did not come up", "read its log"},
		{exitUnhealthy, "`status`, `doctor`: not healthy", "repair"},
		{exitInterrupted, "interrupted", "run it again: it continues"},
	}
}

// report says what went wrong, once, and returns the exit code. It is the only
// place that turns errors into words, hints and codes.
func (call *session) report(err error) int {
	if err == nil {
		return exitDone
	}
	code, hint := call.explain(err)
	todo, see := call.toDo(err, hint), explainedAt(err)
	if call.interrupted { // as a person says it
		err = errors.New(strings.ReplaceAll(err.Error(), context.Canceled.Error(), "interrupted"))
	}
	call.console.failure(err, hintAsCalled(hint), todo, see, code)
	return code
}

// explainedAt is the page that GitHub names for a refusal; empty without one.
func explainedAt(err error) string {
	var refused *github.Error
	if errors.As(err, &refused) && strings.HasPrefix(refused.Documentation, "https://") {
		return refused.Documentation
	}
	return ""
}

func (call *session) explain(err error) (int, string) {
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage, firstOf(usage.hint, otherFile(call, usage.file), completed(call, usage.more), helpOn(call.arguments))
	}
	if call.interrupted && errors.Is(err, context.Canceled) {
		return exitInterrupted, again(call, call.arguments)
	}
	if m := meaningOf(err); m != nil {
		return m.code, m.hint(call, err)
	}
	var manager *svc.Error
	if errors.As(err, &manager) {
		return exitService, hintLog(call, err)
	}
	return exitUnexpected, againWith(call, "--log-level", "debug")
}

// completed is the command with an option that it lacks; empty where it lacks none.
func completed(call *session, more []string) string {
	if len(more) == 0 {
		return ""
	}
	return againWith(call, more...)
}

// otherFile is the command with another file in the place of one that it names; empty where it names none.
func otherFile(call *session, file string) string {
	words, found := replacing(call.arguments, file, "FILE")
	if file == "" || !found {
		return ""
	}
	return again(call, words)
}

// Hints that need nothing but the call itself.

func same(call *session, _ error) string { return again(call, call.arguments) }

// noCommand is for what no command mends: see [session.toDo].
func noCommand(*session, error) string { return "" }

func asRoot(call *session, _ error) string {
	return rooted(call, again(call, call.arguments), proxyVariables()...)
}

func plus(words ...string) func(*session, error) string {
	return func(call *session, _ error) string { return againWith(call, words...) }
}

// typed is a command of the system's own.
func typed(of func(shell.System) string) func(*session, error) string {
	return func(call *session, _ error) string { return of(on(call)) }
}

// lookHere shows what there is, in the place that this call is about.
func lookHere(call *session, _ error) string { return call.here("status") }

func fixed(hint string) func(*session, error) string {
	return func(*session, error) string { return hint }
}

// helpOn is the command that explains the command of these arguments.
func helpOn(arguments []string) string {
	const others = " config-show config-validate version completion-bash completion-fish completion-powershell completion-zsh"
	for _, command := range strings.Fields(everyCommand + others) {
		words := strings.Fields(typedCommand(command))
		if len(arguments) >= len(words) && slices.Equal(arguments[:len(words)], words) {
			return "runner-bootstrap " + strings.Join(words, " ") + " --help"
		}
	}
	return "runner-bootstrap help"
}

// on is the system whose commands a hint has.
func on(call *session) shell.System {
	if call.system.Root == "" {
		return shell.Here()
	}
	return call.system
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
