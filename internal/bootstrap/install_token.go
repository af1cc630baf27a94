package bootstrap

import (
	"context"
	"os"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
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
func (i *installer) mints() bool {
	return i.client != nil && !i.request.selfSufficient() && !i.request.Identity.JIT
}

// mintAhead asks for the registration token while the runner is fetched, and
// ends that with cancel if there is none to be had.
func (i *installer) mintAhead(ctx context.Context, cancel func(error)) {
	i.ahead = make(chan minted, 1)
	joiner := i.joiner() // the record goes on changing meanwhile
	go func() {
		token := joiner.mint(ctx)
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
	return i.joiner().mint(ctx)
}

// joiner joins the runner that is being installed. While hold and the host's lock
// are open, nobody takes over what its config.sh does, nor plans meanwhile.
func (i *installer) joiner(hold ...*os.File) joiner {
	return joiner{
		Host: i.host, client: i.client, record: i.record, user: i.jobUser,
		runner: i.host.runner(i.record, i.jobUser, append(hold, i.lock.File())...), replace: i.request.Replace,
	}
}
