package bootstrap

import (
	"context"
	"errors"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// tokenReserve is what a registration token must still live for config.sh.
const tokenReserve = 5 * time.Minute

// minted is a registration token, or why there is none.
type minted struct {
	token github.Token
	kept  bool // from an earlier install
	err   error
}

// mints tells whether GitHub has to be asked for what registers the runner.
func (i *installer) mints() bool { return i.client != nil && !i.request.selfSufficient() }

// mintAhead asks for the registration token while the runner is fetched, and
// ends that with cancel if there is none to be had.
func (i *installer) mintAhead(ctx context.Context, cancel func(error)) {
	i.ahead = make(chan minted, 1)
	go func() {
		token := i.mint(ctx)
		i.ahead <- token
		if token.err != nil {
			cancel(token.err)
		}
	}()
}

// registrationToken gives the token that the request brings, or the one that was
// minted ahead, unless it has grown old over a slow download.
func (i *installer) registrationToken(ctx context.Context) minted {
	if given := i.request.RegistrationToken; !given.Empty() {
		return minted{token: github.Token{Value: given}}
	}
	if i.ahead != nil {
		select {
		case <-ctx.Done():
			return minted{err: ctx.Err()}
		case early := <-i.ahead:
			i.ahead = nil
			if early.err != nil || time.Until(early.token.Expires) > tokenReserve {
				return early
			}
		}
	}
	return i.mint(ctx)
}

// mint gives the token that was kept for the scope, or a new one, which is kept.
func (i *installer) mint(ctx context.Context) minted {
	if value, expires := i.Store.KeptToken(i.ScopeURL); i.shares() && time.Until(expires) > tokenReserve {
		return minted{token: github.Token{Value: github.NewSecret(value), Expires: expires}, kept: true}
	}
	token, err := i.client.RegistrationToken(ctx)
	if err == nil && i.shares() {
		// The next runner can mint its own.
		if err := i.Store.KeepToken(i.ScopeURL, token.Value, token.Expires); err != nil {
			i.Log.Warn("the next runner of this host will need another registration token", "reason", err.Error())
		}
	}
	return minted{token: token, err: err}
}

// shares tells whether registration tokens are kept for the next runner of this
// host. Jobs that run as the account which installs could read them.
func (i *installer) shares() bool { return !i.jobUser.Self }

// join runs config.sh, and once more with a new token if GitHub refuses one that
// was kept: somebody may have revoked it.
func (i *installer) join(ctx context.Context, runner register.Runner, with minted) (register.Settings, error) {
	once := func() (register.Settings, error) {
		return runner.Join(ctx, i.ScopeURL, i.Name, register.Identity(i.request.Identity), i.request.Replace, with.token.Value)
	}
	settings, err := once()
	if !with.kept || !errors.Is(err, register.ErrTokenRefused) {
		return settings, err
	}
	if dropErr := i.Store.DropToken(i.ScopeURL); dropErr != nil {
		return settings, errors.Join(err, dropErr)
	}
	if with = i.mint(ctx); with.err != nil {
		return settings, errors.Join(err, with.err)
	}
	return once()
}
