package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// joiner joins the runner of one record to GitHub. The name is free, as far as is
// known, and the registration's lock is held.
type joiner struct {
	*Host
	client  *github.Client // nil where there is a token
	record  instance.Record
	user    account.User
	runner  register.Runner
	replace bool
}

// join registers the runner with a token of its own, or by a just-in-time
// configuration.
func (j joiner) join(ctx context.Context) (register.Settings, error) {
	if j.record.JIT {
		return j.adopt(ctx)
	}
	token := j.mint(ctx)
	if token.err != nil {
		return register.Settings{}, token.err
	}
	return j.joinWith(ctx, token)
}

// adopt makes a just-in-time configuration and takes it over. GitHub gives
// another name than was asked for where an answer was lost; the runner of that
// name is of no use to anybody.
func (j joiner) adopt(ctx context.Context) (register.Settings, error) {
	group, err := j.client.GroupID(ctx, j.record.Group)
	if err != nil {
		return register.Settings{}, err
	}
	made, err := j.client.JITConfig(ctx, github.JITRequest{
		Name: j.record.Name, GroupID: group, Labels: askedLabels(j.record), WorkFolder: j.record.WorkDir(),
	})
	if err != nil {
		return register.Settings{}, err
	}
	config, err := register.ParseJITConfig(made.Config)
	if err == nil && made.Runner.Name != j.record.Name {
		err = fmt.Errorf("joining runner %q: GitHub called it %q", j.record.Name, made.Runner.Name)
	}
	if err != nil {
		return register.Settings{}, errors.Join(err, j.client.DeleteRunner(ctx, made.Runner.ID))
	}
	settings, err := j.runner.Adopt(config)
	if err == nil {
		j.compareLabels(ctx, made.Runner.ID, made.Runner.Labels)
	}
	return settings, err
}

// mint gives the token that was kept for the scope, or a new one, which is kept.
func (j joiner) mint(ctx context.Context) minted {
	if value, expires := j.Store.KeptToken(j.record.ScopeURL); j.shares() && time.Until(expires) > tokenReserve {
		return minted{token: github.Token{Value: github.NewSecret(value), Expires: expires}, kept: true}
	}
	token, err := j.client.RegistrationToken(ctx)
	if err == nil && j.shares() {
		// The next runner can mint its own.
		if err := j.Store.KeepToken(j.record.ScopeURL, token.Value, token.Expires); err != nil {
			j.Log.Warn("the next runner of this host will need another registration token", "reason", err.Error())
		}
	}
	return minted{token: token, err: err}
}

// shares tells whether registration tokens are kept for the next runner of this
// host. Jobs that run as the account which installs could read them.
func (j joiner) shares() bool { return !j.user.Self }

// joinWith runs config.sh, and then looks whether the runner has got its labels.
func (j joiner) joinWith(ctx context.Context, with minted) (register.Settings, error) {
	settings, err := j.configure(ctx, with)
	if err == nil {
		j.compareLabels(ctx, settings.ID, nil)
	}
	return settings, err
}

// configure runs config.sh, and once more with a new token if GitHub refuses one
// that was kept: somebody may have revoked it.
func (j joiner) configure(ctx context.Context, with minted) (register.Settings, error) {
	once := func() (register.Settings, error) {
		i := j.record.Identity
		identity := register.Identity{
			Labels: askedLabels(j.record), NoDefaultLabels: i.NoDefaultLabels, Group: i.Group, Work: j.record.WorkDir(),
			Ephemeral: i.Ephemeral, DisableUpdate: i.DisableUpdate,
		}
		return j.runner.Join(ctx, j.record.ScopeURL, j.record.Name, identity, j.replace, with.token.Value)
	}
	settings, err := once()
	if !with.kept || !errors.Is(err, register.ErrTokenRefused) {
		return settings, err
	}
	if dropErr := j.Store.DropToken(j.record.ScopeURL); dropErr != nil {
		return settings, errors.Join(err, dropErr)
	}
	if with = j.mint(ctx); with.err != nil {
		return settings, errors.Join(err, with.err)
	}
	return once()
}
