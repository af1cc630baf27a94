// Package register joins a runner to GitHub and takes it away again, by the
// runner's own config.sh. Tokens reach it through its environment, never
// through arguments, which every account on the host could read.
package register

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// tokenVariable is where config.sh looks for its token (actions/runner,
// CommandSettings).
const tokenVariable = "ACTIONS_RUNNER_INPUT_TOKEN"

// Join registers the runner of kept under its record's name at the scope, keeps what
// config.sh has written down, and returns what that says. Confirm is asked whether it is so, while
// the room is removed, before anything is kept; nil asks nobody. After a failure no registration is
// kept, but GitHub may list the runner if its answer was lost: the caller looks. With
// replace, a runner of the same name at GitHub is replaced.
func (r Room) Join(
	ctx context.Context, kept Kept, id instance.Identity, replace bool, token secret.Secret, confirm func(context.Context, Settings) error,
) (Settings, error) {
	if err := kept.Forget(); err != nil {
		return Settings{}, err
	}
	record := kept.record
	words := append([]string{"--unattended", "--url", record.ScopeURL, "--name", record.Name}, arguments(id)...)
	if replace {
		words = append(words, "--replace")
	}
	var result written
	var confirmed <-chan error
	err := r.run(ctx, visit{
		verb: "configuring", name: record.Name, arguments: words, token: token,
		after: func(dir string) (err error) {
			if result, err = writtenIn(dir, record); err != nil {
				return fmt.Errorf("configuring the runner: %s ended well, but: %w", Program, err)
			}
			confirmed = result.confirmedBy(ctx, confirm)
			return nil
		},
	})
	if confirmed != nil {
		err = errors.Join(err, <-confirmed)
	}
	if err == nil {
		err = kept.files().Keep(result.files)
	}
	if err != nil {
		return Settings{}, errors.Join(About(err, record.ScopeURL), kept.Forget())
	}
	return result.settings, nil
}

// written is what config.sh has written down.
type written struct {
	settings Settings
	files    map[string][]byte
}

// writtenIn reads what config.sh has written, with bounds. It is to be what it was asked for.
func writtenIn(dir string, record instance.Record) (written, error) {
	settings, err := ReadSettings(dir)
	if err != nil {
		return written{}, err
	}
	scope, err := ScopeOf(record)
	if err != nil {
		return written{}, err
	}
	if !strings.EqualFold(settings.Name, record.Name) || !scope.Same(settings.URL) {
		return written{}, fmt.Errorf("%w: it has registered %q at %q", ErrUnknown, settings.Name, settings.URL)
	}
	files, err := registrationIn(dir)
	return written{settings: settings, files: files}, err
}

// confirmedBy begins to ask whether it is so, and tells when that is known.
func (w written) confirmedBy(ctx context.Context, confirm func(context.Context, Settings) error) <-chan error {
	confirmed := make(chan error, 1)
	if confirm == nil {
		confirmed <- nil
		return confirmed
	}
	go func() { confirmed <- confirm(ctx, w.settings) }()
	return confirmed
}

// Leave takes the runner of kept away from GitHub with a remove token, and forgets its
// registration. After a failure that is still kept.
func (r Room) Leave(ctx context.Context, kept Kept, token secret.Secret) error {
	err := r.run(ctx, visit{
		verb: "removing", name: kept.record.Name, token: token,
		// "remove" counts only as the first argument, and takes no --unattended.
		arguments: []string{"remove"},
		before:    kept.giveTo,
	})
	if err != nil {
		return err
	}
	return kept.Forget()
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
