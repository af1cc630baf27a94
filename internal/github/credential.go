package github

import (
	"context"
	"time"
)

// Credential gives the token that requests carry. It may be used by many
// goroutines at once.
type Credential interface {
	// Token is what the next request carries, nothing if it is empty. An error
	// means that there is no token now; another call may succeed.
	Token(ctx context.Context) (Secret, error)
	// Renew is told that GitHub refused a token with status 401, and what
	// GitHub's clock said then, which is zero if it did not tell. With true it
	// gives another token, for one more try; with false the refusal is final.
	Renew(ctx context.Context, refused Secret, at time.Time) (Secret, bool, error)
}

// Static is a credential that cannot be renewed: a personal access token, or
// one that somebody else minted. With an empty one only what is public can be
// asked for.
func Static(token Secret) Credential { return static{token: token} }

type static struct{ token Secret }

func (s static) Token(context.Context) (Secret, error) { return s.token, nil }

func (s static) Renew(context.Context, Secret, time.Time) (Secret, bool, error) {
	return Secret{}, false, nil
}
