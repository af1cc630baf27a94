// Package register joins a runner to GitHub and takes it away again, by the
// runner's own config.sh. Tokens reach it through its environment, never
// through arguments, which every account on the host could read.
package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// tokenVariable is where config.sh looks for its token (actions/runner,
// CommandSettings).
const tokenVariable = "ACTIONS_RUNNER_INPUT_TOKEN"

// Runner is a runner root and who its programs run as.
type Runner struct {
	Root string
	User account.User
	// Kept is where its registration is kept.
	Kept Kept
	// Environment is added to that of config.sh: proxies, certificates.
	Environment []string
	// Locks are those under which config.sh works: nobody takes them before it has ended,
	// even if this process is killed. It does not inherit them.
	Locks []*instance.Lock
	Log   *slog.Logger

	grace time.Duration // zero is defaultGrace
}

// Join registers the runner under name at the scope, keeps what the runner wrote
// down, and returns what that says. Leftovers of a failed registration are deleted
// first, since config.sh would reuse a key from them. After a failure no registration
// is kept, but GitHub may list the runner if its answer was lost: the caller looks.
// With replace, a runner of the same name at GitHub is replaced.
func (r Runner) Join(
	ctx context.Context, scopeURL, name string, id instance.Identity, replace bool, token github.Secret,
) (Settings, error) {
	if err := errors.Join(Forget(r.Root), r.Kept.Forget()); err != nil {
		return Settings{}, err
	}
	words := append([]string{"--unattended", "--url", scopeURL, "--name", name}, arguments(id)...)
	if replace {
		words = append(words, "--replace")
	}
	if err := r.config(ctx, "configuring", words, token); err != nil {
		return Settings{}, About(err, scopeURL)
	}
	settings, err := r.read(scopeURL, name)
	if err == nil {
		err = r.Kept.take(r.Root)
	}
	if err != nil {
		return Settings{}, fmt.Errorf("configuring the runner: config.sh ended well, but: %w", err)
	}
	return settings, nil
}

// read reads what config.sh has written, which is to be what it was asked for.
func (r Runner) read(scopeURL, name string) (Settings, error) {
	settings, err := ReadSettings(r.Root)
	if err != nil {
		return Settings{}, err
	}
	scope, err := github.ParseScope(scopeURL, "")
	if err != nil {
		return Settings{}, err
	}
	if !strings.EqualFold(settings.Name, name) || !scope.Same(settings.URL) {
		return Settings{}, fmt.Errorf("%w: it has registered %q at %q", ErrUnknown, settings.Name, settings.URL)
	}
	return settings, nil
}

// ScopeOf is where the runner of a record belongs.
func ScopeOf(record instance.Record) (github.Scope, error) {
	scope, err := github.ParseScope(record.ScopeURL, record.APIURL)
	if err != nil {
		return github.Scope{}, fmt.Errorf("reading the record of %q: %w", record.Name, err)
	}
	return scope, nil
}

// About says in a refusal which scope it is about.
func About(err error, scopeURL string) error {
	var refused *ConfigError
	scope, scopeErr := github.ParseScope(scopeURL, "")
	if !errors.As(err, &refused) || scopeErr != nil {
		return err // what it is about is a help, not a need
	}
	refused.Scope = scope
	if refused.Refusal != nil {
		refused.Refusal.Scope = scope
	}
	return err
}

func arguments(id instance.Identity) []string {
	var arguments []string
	add := func(on bool, words ...string) {
		if on {
			arguments = append(arguments, words...)
		}
	}
	add(len(id.Labels) > 0, "--labels", strings.Join(id.Labels, ","))
	add(id.NoDefaultLabels, "--no-default-labels")
	add(id.Group != "", "--runnergroup", id.Group)
	add(id.Work != "", "--work", id.Work)
	add(id.Ephemeral, "--ephemeral")
	add(id.DisableUpdate, "--disableupdate")
	return arguments
}

// Leave takes the runner away from GitHub with a remove token, and forgets its
// registration. After a failure that is still kept.
func (r Runner) Leave(ctx context.Context, token github.Secret) error {
	if err := r.Kept.Give(r.User); err != nil && !errors.Is(err, ErrNotConfigured) {
		return fmt.Errorf("removing the runner: %w", err)
	}
	// config.sh refuses while it believes in a service of its own making.
	if err := RemoveFiles(r.Root, ".service"); err != nil {
		return fmt.Errorf("removing the runner: %w", err)
	}
	// "remove" counts only as the first argument, and takes no --unattended.
	if err := r.config(ctx, "removing", []string{"remove"}, token); err != nil {
		return err
	}
	return r.Kept.Forget()
}
