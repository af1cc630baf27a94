package github

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// Who waits for a token that another is minting gets that one, or mints where
// the other had no more time, or goes when his own time ends.
func TestAppWaitsForWhoMints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		finish func(*mint)
		want   string
		fails  error
	}{
		{"a token", func(m *mint) { m.token = secret.New("theirs") }, "theirs", nil},
		{"a refusal", func(m *mint) { m.err = ErrNotInstalled }, "", ErrNotInstalled},
		{"given up", func(m *mint) { m.err, m.gaveUp = context.Canceled, true }, "", ErrNetwork}, // mints, and reaches nobody
		{"no end", nil, "", context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				theirs := &mint{done: make(chan struct{})}
				nobody := NewClient(transport.NewAPI(transport.Config{}), Scope{api: "http://127.0.0.1:1"}, Static(secret.Secret{}))
				app := &App{minting: theirs, client: nobody, signer: &signer{}, place: place{installation: 1}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ended := make(chan struct{})
				var token secret.Secret
				var err error
				go func() {
					defer close(ended)
					token, err = app.Token(ctx)
				}()
				synctest.Wait()
				if c.finish != nil {
					c.finish(theirs)
					app.mu.Lock()
					app.minting = nil
					app.mu.Unlock()
					close(theirs.done)
				}
				<-ended
				if token.Reveal() != c.want || (c.fails == nil) != (err == nil) || c.fails != nil && !errors.Is(err, c.fails) {
					t.Errorf("%q, %v, want %q, %v", token.Reveal(), err, c.want, c.fails)
				}
				if c.name == "given up" && !strings.HasPrefix(err.Error(), "minting a token") {
					t.Errorf("%v is not of an own try", err)
				}
			})
		})
	}
}

func TestAppKnowsWhetherItGaveUp(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for ctx, want := range map[context.Context]bool{gone: true, t.Context(): false} {
		// Nothing is sent: the address cannot be one.
		nowhere := NewClient(transport.NewAPI(transport.Config{}), Scope{api: "http://[::1"}, Static(secret.Secret{}))
		app := &App{client: nowhere, signer: &signer{}, place: place{installation: 1}}
		mine := &mint{done: make(chan struct{})}
		if app.run(ctx, mine); mine.err == nil || mine.gaveUp != want {
			t.Errorf("gave up: %t, want %t, with %v", mine.gaveUp, want, mine.err)
		}
	}
}
