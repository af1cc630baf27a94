package register

import (
	"errors"
	"fmt"
	"strings"
)

// Why the runner's own configuration program refused, as told by what it
// printed: its exit code is 1 for everything.
var (
	ErrNameTaken    = errors.New("a runner of this name exists already")
	ErrGroupUnknown = errors.New("there is no such runner group")
	ErrTooOld       = errors.New("this runner version may no longer register")
	ErrTokenRefused = errors.New("the token was refused")
	ErrUnreachable  = errors.New("GitHub could not be reached")
	ErrLibraries    = errors.New("libraries that the runner needs are missing")
	ErrGone         = errors.New("GitHub has no such runner")
	ErrBusy         = errors.New("the runner is running a job")
	ErrUnknown      = errors.New("the runner's configuration program failed")
)

// ConfigError is a refusal of config.sh.
type ConfigError struct {
	Verb   string // "configuring", "removing"
	Reason error  // one of the sentinels above
	Said   string // its own words, one line
}

func (e *ConfigError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s the runner: %v", e.Verb, e.Reason)
	}
	return fmt.Sprintf("%s the runner: %v: config.sh said %q", e.Verb, e.Reason, e.Said)
}

func (e *ConfigError) Unwrap() error { return e.Reason }

// sign is a part of a line that tells a reason.
type sign struct {
	text   string
	reason error
}

// signs are looked for in their order: a refused version comes with the same
// 404 as a refused token. Texts of actions/runner 2.336.0.
func signs() []sign {
	return []sign{
		{"can no longer register", ErrTooOld},
		{"A runner exists with the same name", ErrNameTaken},
		{"Could not find any self-hosted runner group", ErrGroupUnknown},
		{"ependencies is missing", ErrLibraries}, // "Libicu's dependencies" as well
		{"Please install 'ld", ErrLibraries},     // ldd, ldconfig
		{"running a job", ErrBusy},
		{"Connection refused", ErrUnreachable},
		{"Name or service not known", ErrUnreachable},
		{"SSL connection could not be established", ErrUnreachable},
		{"ServiceUnavailable", ErrUnreachable},
		{"BadGateway", ErrUnreachable},
		{"GatewayTimeout", ErrUnreachable},
		{"InternalServerError", ErrUnreachable},
		{"TooManyRequests", ErrUnreachable},
		{"NotFound from 'POST", ErrTokenRefused},
		{"Unauthorized", ErrTokenRefused},
		{"NotFound from 'DELETE", ErrGone},
		{"404 (Not Found)", ErrTokenRefused},
	}
}

// explain finds the reason in what was printed, and the line that says it.
func explain(verb string, lines []string) *ConfigError {
	for _, s := range signs() {
		for _, line := range lines {
			if strings.Contains(line, s.text) {
				return &ConfigError{Verb: verb, Reason: s.reason, Said: strings.TrimSpace(line)}
			}
		}
	}
	e := &ConfigError{Verb: verb, Reason: ErrUnknown}
	if len(lines) > 0 {
		e.Said = strings.TrimSpace(lines[len(lines)-1])
	}
	return e
}
