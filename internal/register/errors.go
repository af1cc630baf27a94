package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// Why the runner's own configuration program refused, as told by what it
// printed: its exit code is 1 for everything.
var (
	ErrNameTaken = errors.New("a runner of this name exists already")
	// ErrConflict means that a runner of this name appeared while this one was being
	// registered: it may be this one, if an answer of GitHub's was lost.
	ErrConflict     = errors.New("a runner of this name has just been registered")
	ErrGroupUnknown = errors.New("there is no such runner group")
	ErrTooOld       = errors.New("this runner version may no longer register")
	ErrTokenRefused = errors.New("the token was refused")
	ErrUnreachable  = errors.New("GitHub could not be reached")
	ErrLibraries    = errors.New("libraries that the runner needs are missing")
	ErrGone         = errors.New("GitHub has no such runner, or does not take the token")
	ErrBusy         = errors.New("the runner is running a job")
	// ErrRefused comes with what GitHub has said, which tells why.
	ErrRefused = errors.New("GitHub refused it")
	ErrUnknown = errors.New("the runner's configuration program failed")
	// ErrSlow means that it was ended, since it did not end.
	ErrSlow = errors.New("the runner's configuration program does not end")
	// ErrNoProgram means that the cache holds no runner whose config.sh could be run.
	ErrNoProgram = errors.New("the cache holds no copy of the runner")
)

// What GitHub's list of runners says against a registration, or a removal.
var (
	ErrNameListed = errors.New("a runner of this name exists at GitHub")
	// ErrNameAtWork is about one that is not offline, where one that is would be replaced.
	ErrNameAtWork  = errors.New("a runner of this name is at work, and only one that is offline is replaced")
	ErrStillListed = errors.New("GitHub still lists the runner")
	// ErrUnconfirmed means that a runner has joined, by what its own program says, and GitHub says otherwise.
	ErrUnconfirmed = errors.New("GitHub does not confirm the registration")
)

// ConfigError is a refusal of config.sh.
type ConfigError struct {
	Verb   string // "configuring", "removing"
	Reason error  // one of the sentinels above
	Said   string // its own words, one line
	Scope  github.Scope
	// Refusal is GitHub's answer, where that tells more than Reason; nil otherwise.
	Refusal *github.Error
}

func (e *ConfigError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s the runner: %v", e.Verb, e.Reason)
	}
	if e.Refusal != nil {
		return fmt.Sprintf("%s the runner: %v: %s", e.Verb, e.Reason, e.Said)
	}
	return fmt.Sprintf("%s the runner: %v: %s said %q", e.Verb, e.Reason, Program, e.Said)
}

func (e *ConfigError) Unwrap() []error {
	if e.Refusal == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Refusal}
}

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
		{namesake + " ", ErrNameTaken},
		{"Could not find any self-hosted runner group", ErrGroupUnknown},
		{"ependencies is missing", ErrLibraries}, // "Libicu's dependencies" as well
		{"Please install 'ld", ErrLibraries},     // ldd, ldconfig
		{"running a job", ErrBusy},
		{"Conflict from 'POST", ErrConflict},
		{"Connection refused", ErrUnreachable},
		{"Name or service not known", ErrUnreachable},
		{"SSL connection could not be established", ErrUnreachable},
		{"ServiceUnavailable", ErrUnreachable},
		{"BadGateway", ErrUnreachable},
		{"GatewayTimeout", ErrUnreachable},
		{"InternalServerError", ErrUnreachable},
		{"NotFound from 'POST", ErrTokenRefused},
		{"Unauthorized", ErrTokenRefused},
		{"NotFound from 'DELETE", ErrGone},
		{"404 (Not Found)", ErrTokenRefused},
	}
}

// namesake is followed by the name where config.sh refuses; with --replace it says
// the same and goes on.
const namesake = "A runner exists with the same name"

// refusals are the statuses, in .NET's words, whose reason is told by GitHub's
// sentence alone. config.sh prints both (actions/runner, ConfigurationManager.cs).
func refusals() map[string]int {
	return map[string]int{
		"Forbidden": http.StatusForbidden, "Gone": http.StatusGone, "TooManyRequests": http.StatusTooManyRequests,
		"UnavailableForLegalReasons": http.StatusUnavailableForLegalReasons,
	}
}

// refusalIn finds the last of GitHub's answers that was printed with one of these
// statuses: a line that names it, and then the answer's body.
func refusalIn(verb string, lines []string) *ConfigError {
	for i := len(lines) - 1; i >= 0; i-- {
		_, after, found := strings.Cut(lines[i], "Http response code: ")
		word, _, _ := strings.Cut(after, " ")
		status, known := refusals()[word]
		if !found || !known {
			continue
		}
		body := strings.Join(lines[i+1:], "\n")
		var answer json.RawMessage
		if json.NewDecoder(strings.NewReader(body)).Decode(&answer) != nil {
			answer = nil
		}
		refusal := github.Refusal(verb+" the runner", github.Scope{}, status, answer)
		e := &ConfigError{Verb: verb, Reason: ErrRefused, Said: refusal.Said(), Refusal: refusal}
		if errors.Is(refusal, github.ErrRateLimited) {
			e.Reason = github.ErrRateLimited
		}
		return e
	}
	return nil
}

// explain finds the reason in what was printed, and the line that says it.
func explain(verb string, lines []string) *ConfigError {
	if e := refusalIn(verb, lines); e != nil {
		return e
	}
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
	if e.Said == namesake {
		e.Reason = ErrNameTaken // it had nothing to add
	}
	return e
}
