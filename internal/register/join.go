package register

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// tokenReserve is what a registration token must still live for config.sh.
const tokenReserve = 5 * time.Minute

// Token is what a runner is registered, or taken away, with.
type Token struct {
	github.Token
	kept bool // from an earlier install
}

// Lasts tells whether a token will live until config.sh has used it.
func Lasts(token github.Token) bool { return time.Until(token.Expires) > tokenReserve }

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
// configuration. After a failure GitHub may list the runner if its answer was lost:
// see [Undo].
func (j Joiner) Join(ctx context.Context) (Settings, error) {
	var token Token
	if !j.Record.JIT {
		var err error
		if token, err = j.Mint(ctx); err != nil {
			return Settings{}, err
		}
	}
	return j.JoinWith(ctx, token)
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
	if err == nil && made.Runner.Name != j.Record.Name {
		err = fmt.Errorf("joining runner %q: GitHub called it %q", j.Record.Name, made.Runner.Name)
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

// Mint gives the token that was kept for the scope, or a new one, which is kept.
func (j Joiner) Mint(ctx context.Context) (Token, error) {
	if j.Shares {
		value, expires := j.Store.KeptToken(j.Record.ScopeURL)
		if kept := (github.Token{Value: github.NewSecret(value), Expires: expires}); Lasts(kept) {
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

// JoinWith is [Joiner.Join] with a token that is there already; a just-in-time configuration wants none. It runs
// config.sh, and then looks whether the runner has got its labels.
func (j Joiner) JoinWith(ctx context.Context, token Token) (Settings, error) {
	if j.Record.JIT {
		return j.byConfig(ctx)
	}
	settings, err := j.configure(ctx, token)
	if err == nil {
		j.compareLabels(ctx, settings.ID, nil)
	}
	return settings, err
}

// configure runs config.sh, and once more with a new token if GitHub refuses one
// that was kept: somebody may have revoked it.
func (j Joiner) configure(ctx context.Context, token Token) (Settings, error) {
	identity := j.Record.Identity
	identity.Labels, identity.Work = AskedLabels(j.Record), j.Record.WorkDir()
	identity.DisableUpdate = identity.DisableUpdate || j.Record.Rooted() // it could not put another version there
	kept := KeptOf(j.Store, j.Record)
	settings, err := j.Room.Join(ctx, kept, identity, j.Replace, token.Value)
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
	return j.Room.Join(ctx, kept, identity, j.Replace, token.Value)
}
