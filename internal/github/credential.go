package github

import (
	"context"
	"errors"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// ErrNoCredential means that something has to be asked of GitHub that takes one.
var ErrNoCredential = errors.New("there is no credential")

// Credential gives the token that requests carry. It may be used by many
// goroutines at once.
type Credential interface {
	// Token is what the next request carries, nothing if it is empty. An error
	// means that there is no token now; another call may succeed.
	Token(ctx context.Context) (secret.Secret, error)
	// Renew is told that GitHub refused a token with status 401, and what
	// GitHub's clock said then, which is zero if it did not tell. With true it
	// gives another token, for one more try; with false the refusal is final.
	Renew(ctx context.Context, refused secret.Secret, at time.Time) (secret.Secret, bool, error)
}

// Static is a credential that cannot be renewed: a personal access token, or
// one that somebody else minted. With an empty one only what is public can be
// asked for.
func Static(token secret.Secret) Credential { return static{token: token} }

type static struct{ token secret.Secret }

func (s static) Token(context.Context) (secret.Secret, error) { return s.token, nil }

func (s static) Renew(context.Context, secret.Secret, time.Time) (secret.Secret, bool, error) {
	return secret.Secret{}, false, nil
}
