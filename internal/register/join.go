package register

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

const (
	// tokenReserve is what a registration token must still live for config.sh.
	tokenReserve = 5 * time.Minute
	// tokenLife is longer than GitHub lets one live.
	tokenLife = 2 * time.Hour
)

// Token is what a runner is registered, or taken away, with.
type Token struct {
	github.Token
	kept bool // from an earlier install
}

// Lasts tells whether a token will live until config.sh has used it. Of one that would live for longer than any does, this
// host's clock knows nothing.
func Lasts(token github.Token) bool {
	left := time.Until(token.Expires)
	return left > tokenReserve && left < tokenLife
}

// Joiner joins the runner of one record to GitHub. The name is free, as far as is
// known, and the caller holds the registration's lock.
type Joiner struct {
	Client  *github.Client // nil where there is a token
	Store   *instance.Store
	Record  instance.Record
	Room    Room
	Replace bool // a runner of the same name at GitHub
	// Shares says that registration tokens are kept for the next runner of this host.
	// Jobs that run as the account which installs could read them.
	Shares bool
}

// Join registers the runner with a token of its own, or by a just-in-time
// configuration. GitHub is asked for the id that config.sh has written down before
// that is kept: see [Joiner.JoinWith]. After a failure GitHub may list the runner if
// its answer was lost: see [Kept.Undo].
func (j Joiner) Join(ctx context.Context) (Settings, error) {
	if err := KeptOf(j.Store, j.Record).Room(); err != nil {
		return Settings{}, err // no token is spent on it
	}
	var token Token
	if !j.Record.JIT {
		var err error
		if token, err = j.Mint(ctx); err != nil {
			return Settings{}, err
		}
	}
	return j.joinWith(ctx, token)
}

// byConfig makes a just-in-time configuration and takes it over. GitHub gives
// another name than was asked for where an answer was lost; the runner of that
// name is of no use to anybody.
func (j Joiner) byConfig(ctx context.Context) (Settings, error) {
	group, err := j.Client.GroupID(ctx, j.Record.Group)
	if err != nil {
		return Settings{}, err
	}
	made, err := j.Client.JITConfig(ctx, github.JITRequest{
		Name: j.Record.Name, GroupID: group, Labels: AskedLabels(j.Record), WorkFolder: j.Record.WorkDir(),
	})
	if err != nil {
		return Settings{}, err
	}
	config, err := ParseJITConfig(made.Config)
	if err == nil {
		err = j.madeAsAsked(made, config.Settings)
	}
	if err != nil {
		return Settings{}, errors.Join(err, j.Client.DeleteRunner(ctx, made.Runner.ID))
	}
	settings, err := KeptOf(j.Store, j.Record).Take(config)
	if err == nil {
		j.compareLabels(ctx, made.Runner.ID, made.Runner.Labels)
	}
	return settings, err
}

// madeAsAsked refuses a just-in-time configuration of another runner than was asked for: what
// GitHub says of it and what the listener will say are to be the same.
func (j Joiner) madeAsAsked(made github.JIT, settings Settings) error {
	if made.Runner.Name != j.Record.Name {
		return fmt.Errorf("joining runner %q: GitHub called it %q", j.Record.Name, made.Runner.Name)
	}
	if settings.ID != made.Runner.ID || !strings.EqualFold(settings.Name, made.Runner.Name) {
		return j.unconfirmed("its configuration is of %q, id %d, and not of id %d", settings.Name, settings.ID, made.Runner.ID)
	}
	return nil
}

// Mint gives the token that was kept for the scope, or a new one, which is kept.
func (j Joiner) Mint(ctx context.Context) (Token, error) {
	if j.Shares {
		value, expires := j.Store.KeptToken(j.Record.ScopeURL)
		if kept := (github.Token{Value: secret.New(value), Expires: expires}); Lasts(kept) {
			return Token{Token: kept, kept: true}, nil
		}
	}
	token, err := j.Client.RegistrationToken(ctx)
	if err == nil && j.Shares {
		// The next runner can mint its own.
		if err := j.Store.KeepToken(j.Record.ScopeURL, token.Value, token.Expires); err != nil {
			j.Room.Log.Warn("the next runner of this host will need another registration token", "reason", err.Error())
		}
	}
	return Token{Token: token}, err
}

// JoinWith is [Joiner.Join] with a token that is there already; a just-in-time
// configuration wants none. It runs config.sh, and keeps what that has written down when GitHub lists the
// runner by that id and under that name: [ErrUnconfirmed] otherwise. That takes one
// request, which tells as well whether the runner has got its labels. Without a
// client, which is with a registration token alone, GitHub cannot be asked: the id is
// then what the runner's own program says, from a room that no job has had a part in. So
// it is where GitHub gives no answer, with a warning: a runner that works is not given
// up for that, and no id is deleted at GitHub but under its name.
func (j Joiner) JoinWith(ctx context.Context, token Token) (Settings, error) {
	if err := KeptOf(j.Store, j.Record).Room(); err != nil {
		return Settings{}, err
	}
	return j.joinWith(ctx, token)
}

func (j Joiner) joinWith(ctx context.Context, token Token) (Settings, error) {
	if j.Record.JIT {
		return j.byConfig(ctx)
	}
	if j.Client == nil {
		return j.configure(ctx, token, nil)
	}
	var listed github.Runner
	settings, err := j.configure(ctx, token, func(ctx context.Context, settings Settings) (err error) {
		listed, err = j.confirm(ctx, settings)
		return err
	})
	if err == nil && listed.ID != 0 {
		j.compareLabels(ctx, listed.ID, listed.Labels)
	}
	return settings, err
}

// confirm asks GitHub for the runner of settings. The zero runner and no error say that
// there was no answer, which is warned of. GitHub may be late to list a runner that has
// just joined, so one that it does not know is asked for again, for a bounded time.
func (j Joiner) confirm(ctx context.Context, settings Settings) (github.Runner, error) {
	for try := 0; ; try++ {
		runner, err := j.Client.Runner(ctx, settings.ID)
		absent := errors.Is(err, github.ErrNotFound)
		switch {
		case err == nil && !strings.EqualFold(runner.Name, settings.Name):
			return github.Runner{}, j.unconfirmed("its runner %d is called %q", settings.ID, runner.Name)
		case err == nil:
			return runner, nil
		case absent && try == proofTries:
			return github.Runner{}, j.unconfirmed("it has no runner with id %d", settings.ID)
		case !absent:
			j.Room.Log.Warn("the runner has joined, but GitHub could not be asked for it and its labels",
				"runner", j.Record.Name, "id", settings.ID, "error", err)
			return github.Runner{}, nil
		}
		select {
		case <-ctx.Done():
			return github.Runner{}, context.Cause(ctx)
		case <-time.After(proofPause << try):
		}
	}
}

func (j Joiner) unconfirmed(detail string, arguments ...any) error {
	return &refusal.Error{
		Object: fmt.Sprintf("joining runner %q", j.Record.Name), Reason: ErrUnconfirmed,
		Detail: fmt.Sprintf(detail, arguments...), Name: j.Record.Name,
	}
}

// configure runs config.sh, and once more with a new token if GitHub refuses one
// that was kept: somebody may have revoked it.
func (j Joiner) configure(ctx context.Context, token Token, confirm func(context.Context, Settings) error) (Settings, error) {
	identity := j.Record.Identity
	identity.Labels, identity.Work = AskedLabels(j.Record), j.Record.WorkDir()
	identity.DisableUpdate = identity.DisableUpdate || j.Record.Rooted() // it could not put another version there
	kept := KeptOf(j.Store, j.Record)
	settings, err := j.Room.Join(ctx, kept, identity, j.Replace, token.Value, confirm)
	if !token.kept || !errors.Is(err, ErrTokenRefused) {
		return settings, err
	}
	if dropErr := j.Store.DropToken(j.Record.ScopeURL); dropErr != nil {
		return settings, errors.Join(err, dropErr)
	}
	token, mintErr := j.Mint(ctx)
	if mintErr != nil {
		return settings, errors.Join(err, mintErr)
	}
	return j.Room.Join(ctx, kept, identity, j.Replace, token.Value, confirm)
}
