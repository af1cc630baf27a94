package bootstrap

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// issued is a registration token, or why there is none.
type issued struct {
	register.Token
	err error
}

// mints tells whether GitHub has to be asked for what registers the runner.
func (i *installer) mints() bool {
	return i.client != nil && !i.details.Request.SelfSufficient() && !i.details.Request.Identity.JIT
}

// mintAhead asks for the registration token while the runner is fetched, and
// ends that with cancel if there is none to be had.
func (i *installer) mintAhead(ctx context.Context, cancel func(error)) {
	ctx, i.stopAhead = context.WithCancel(ctx)
	ahead, joiner := make(chan issued, 1), i.minter() // the record goes on changing meanwhile
	i.ahead = ahead
	go func() {
		token, err := joiner.Mint(ctx)
		ahead <- issued{token, err}
		if err != nil {
			cancel(err)
		}
	}()
}

// endAhead returns when no token is asked for any more: one that comes would be kept after the host's lock was given back.
func endAhead(i *installer) {
	if i.stopAhead != nil {
		i.stopAhead()
	}
	if i.ahead != nil {
		<-i.ahead
		i.ahead = nil
	}
}

// registrationToken gives the token that the request brings, or the one that was
// minted ahead, unless it has grown old over a slow download.
func (i *installer) registrationToken(ctx context.Context) (register.Token, error) {
	if given := i.details.Request.RegistrationToken; !given.Empty() {
		return register.Token{Token: github.Token{Value: given}}, nil
	}
	if i.ahead != nil {
		select {
		case <-ctx.Done():
			return register.Token{}, ctx.Err()
		case early := <-i.ahead:
			i.ahead = nil
			if early.err != nil || register.Lasts(early.Token.Token) {
				return early.Token, early.err
			}
		}
	}
	return i.minter().Mint(ctx)
}

// minter asks for a registration token.
func (i *installer) minter() register.Joiner {
	return register.Joiner{
		Client: i.client, Store: i.host.Store, Record: i.record, Room: register.Room{Log: i.host.Log},
		Replace: i.details.Request.Replace == plan.ReplaceAlways, Shares: !i.jobUser.Self,
	}
}

// joiner joins the runner that is being installed, by the config.sh of asset. Until that has ended nobody takes
// locks or the host's lock, also when this process is killed.
func (i *installer) joiner(asset download.Asset, locks ...*instance.Lock) register.Joiner {
	joiner := i.minter()
	joiner.Room = i.host.room(i.record, asset, append(locks, i.lock)...)
	return joiner
}
