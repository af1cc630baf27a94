package github

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	// renewBefore is how long before its end an installation token is replaced:
	// longer than a request and its retries take.
	renewBefore = 5 * time.Minute
	// clockTolerance is how far our clock may be off before that can be why
	// GitHub refuses a web token.
	clockTolerance = 30 * time.Second
)

var (
	// ErrAppID means that a text is neither the client ID nor the number of a
	// GitHub App.
	ErrAppID = errors.New("not the client ID or number of a GitHub App")
	// ErrAppEnterprise means that an App was to manage the runners of an
	// enterprise, which GitHub keeps from Apps.
	ErrAppEnterprise = errors.New("GitHub lets no App manage the runners of an enterprise: " +
		"that takes a classic personal access token with manage_runners:enterprise")
	// ErrNotInstalled means that the App is not installed where it was looked
	// for, or does not exist there.
	ErrNotInstalled = errors.New("the GitHub App is not installed there")
	// ErrClock means that this host's clock is so far off that GitHub may refuse
	// what is dated by it.
	ErrClock = errors.New("this host's clock is wrong")
)

var validAppID = pattern.New(`^[A-Za-z0-9._-]+$`)

// AppConfig says which GitHub App acts.
type AppConfig struct {
	ID           string        // its client ID, or its number
	Key          secret.Secret // its private key, as GitHub's PEM file has it
	Installation int64         // 0: the one that the scope has
}

// App is the credential of a GitHub App. It gives installation tokens with the
// least permissions that the runners of one scope need: for a repository they
// reach that repository alone. A token is kept until five minutes before its
// end; however many ask at a time, one is minted.
type App struct {
	client *Client // speaks for the App itself, by web tokens
	signer *signer
	id     string
	given  bool // the installation was given, not found

	mu      sync.Mutex
	current secret.Secret
	until   time.Time // when current is to be replaced
	minting *mint     // nil if nobody mints
	place   place     // of the one who mints
}

// place is where an App is installed; what a token is restricted to goes by it.
type place struct {
	installation int64
	repo         string // its name
	repoID       int64  // instead of its name, after a rename
}

// mint is one token being minted. Its fields may be read once done is closed.
type mint struct {
	done   chan struct{}
	token  secret.Secret
	err    error
	gaveUp bool // it failed because its own caller had no more time
}

// NewApp returns the credential of a GitHub App for one scope. It asks nobody
// yet. [ErrAppID], [secret.ErrAppKey] or [ErrAppEnterprise] for what cannot work.
func NewApp(http *transport.Client, scope Scope, config AppConfig) (*App, error) {
	if scope.Kind == Enterprise {
		return nil, ErrAppEnterprise
	}
	if !validAppID.MatchString(config.ID) {
		return nil, ErrAppID // not shown: it may be the key, in the wrong place
	}
	key, err := secret.ParseAppKey(config.Key.Reveal())
	if err != nil {
		return nil, err
	}
	signer := &signer{id: config.ID, key: key}
	return &App{
		client: NewClient(http, scope, signer), signer: signer, id: config.ID, given: config.Installation != 0,
		place: place{installation: config.Installation, repo: scope.Repo},
	}, nil
}

// Token is a token that is good for five minutes at least. Errors are those of
// [Error]; [ErrNotInstalled] and [ErrClock] explain them where they match.
func (a *App) Token(ctx context.Context) (secret.Secret, error) { return a.token(ctx, secret.Secret{}) }

// Renew mints another token in place of the one refused, unless somebody else
// has done so already.
func (a *App) Renew(ctx context.Context, refused secret.Secret, _ time.Time) (secret.Secret, bool, error) {
	token, err := a.token(ctx, refused)
	return token, err == nil, err
}

func (a *App) token(ctx context.Context, refused secret.Secret) (secret.Secret, error) {
	for {
		a.mu.Lock()
		if !a.current.Empty() && a.current.Reveal() != refused.Reveal() && time.Now().Before(a.until) {
			defer a.mu.Unlock()
			return a.current, nil
		}
		running := a.minting
		if running == nil {
			mine := &mint{done: make(chan struct{})}
			a.minting = mine
			a.mu.Unlock()
			a.run(ctx, mine)
			return mine.token, mine.err
		}
		a.mu.Unlock()
		select {
		case <-running.done:
		case <-ctx.Done():
			return secret.Secret{}, fmt.Errorf("waiting for an installation token: %w: %w", ErrNetwork, ctx.Err())
		}
		if !running.gaveUp {
			return running.token, running.err
		}
	}
}

// run mints for everybody who waits.
func (a *App) run(ctx context.Context, m *mint) {
	token, until, err := a.fetch(ctx)
	m.token, m.err, m.gaveUp = token, err, err != nil && ctx.Err() != nil
	a.mu.Lock()
	a.current, a.until, a.minting = token, until, nil
	a.mu.Unlock()
	close(m.done)
}

// fetch finds the installation where it is not known and mints a token there.
func (a *App) fetch(ctx context.Context) (secret.Secret, time.Time, error) {
	if a.place.installation == 0 {
		found, err := a.find(ctx)
		if err != nil {
			return secret.Secret{}, time.Time{}, a.explain(err)
		}
		a.place = found
	}
	token, until, err := a.mint(ctx)
	if errors.Is(err, ErrNotFound) && !a.given {
		// It may have been removed and installed again since: look next time.
		a.place = place{}
	}
	return token, until, a.explain(err)
}

func (a *App) find(ctx context.Context) (place, error) {
	var answer struct {
		ID int64 `json:"id"`
	}
	op := fmt.Sprintf("finding GitHub App %s on %s", a.id, a.client.scope)
	at := ""
	err := a.client.do(ctx, request{
		op: op, whole: true, method: http.MethodGet, path: a.client.scope.base() + "/installation",
		want: http.StatusOK, answer: &answer, landed: &at,
	})
	if err != nil {
		return place{}, err
	}
	if answer.ID == 0 {
		return place{}, fmt.Errorf("%s: %w: it names no installation", op, ErrNotGitHub)
	}
	found := place{installation: answer.ID, repo: a.client.scope.Repo}
	found.renamed(at)
	return found, nil
}

// renamed reads what a repository is called after a redirect: GitHub's lead to
// /repositories/ID, and the old name cannot be asked for any more.
func (p *place) renamed(path string) {
	parts := strings.Split(strings.TrimSuffix(path, "/installation"), "/")
	if len(parts) < 2 || p.repo == "" {
		return
	}
	last := parts[len(parts)-1]
	if id, err := strconv.ParseInt(last, 10, 64); err == nil && parts[len(parts)-2] == "repositories" {
		p.repo, p.repoID = "", id
	} else if validRepo.MatchString(last) {
		p.repo = last
	}
}

func (a *App) mint(ctx context.Context) (secret.Secret, time.Time, error) {
	type grant struct {
		Permissions   map[string]string `json:"permissions"`
		Repositories  []string          `json:"repositories,omitempty"`
		RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	}
	ask := grant{Permissions: map[string]string{"organization_self_hosted_runners": "write"}}
	if a.client.scope.Kind == Repository {
		ask.Permissions = map[string]string{"administration": "write"}
		if ask.Repositories = []string{a.place.repo}; a.place.repoID != 0 {
			ask.Repositories, ask.RepositoryIDs = nil, []int64{a.place.repoID}
		}
	}
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	var date time.Time
	op := fmt.Sprintf("minting a token of GitHub App %s for %s", a.id, a.client.scope)
	// A second token does no harm, so this POST may be sent again.
	err := a.client.do(transport.Repeatable(ctx), request{
		op: op, whole: true, method: http.MethodPost,
		path: "/app/installations/" + strconv.FormatInt(a.place.installation, 10) + "/access_tokens",
		body: ask, want: http.StatusCreated, answer: &answer, date: &date,
	})
	if err != nil {
		return secret.Secret{}, time.Time{}, err
	}
	if answer.Token == "" || answer.Expires.IsZero() {
		return secret.Secret{}, time.Time{}, fmt.Errorf("%s: %w: it holds no token", op, ErrNotGitHub)
	}
	// How long it lives goes by GitHub's clock alone: ours may be wrong, and may
	// be put right meanwhile.
	return secret.New(answer.Token), time.Now().Add(answer.Expires.Sub(date) - renewBefore), nil
}

// explain adds what only an App can know of a refusal.
func (a *App) explain(err error) error {
	switch off := a.signer.off.Round(time.Second); {
	case errors.Is(err, ErrUnauthorized) && off > clockTolerance:
		return fmt.Errorf("%w: it is %v behind GitHub's: %w", ErrClock, off, err)
	case errors.Is(err, ErrUnauthorized) && -off > clockTolerance:
		return fmt.Errorf("%w: it is %v ahead of GitHub's: %w", ErrClock, -off, err)
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	return err
}

// signer is the credential of the App itself. Only the one who mints uses it.
type signer struct {
	id    string
	key   *rsa.PrivateKey
	clock clock
	off   time.Duration // how far our clock was behind GitHub's at the last refusal
	made  time.Time     // when the last token was made
}

// Token signs a new one: it costs less than keeping one would.
func (s *signer) Token(context.Context) (secret.Secret, error) {
	s.made = time.Now()
	return signWebToken(s.id, s.key, s.clock.now())
}

// Renew signs another one where that can help: the clock that dated the first
// was wrong, or it got too old while a rate limit was waited for.
func (s *signer) Renew(ctx context.Context, _ secret.Secret, at time.Time) (secret.Secret, bool, error) {
	if s.off = 0; at.IsZero() {
		return secret.Secret{}, false, nil
	}
	s.off = time.Until(at)
	wrong := at.Sub(s.clock.now()).Abs() > clockTolerance
	if wrong {
		s.clock = clock{told: at, heard: time.Now()}
	}
	if !wrong && time.Since(s.made) < tokenLife {
		return secret.Secret{}, false, nil
	}
	token, err := s.Token(ctx)
	return token, err == nil, err
}

// clock is ours until we hear what GitHub's says, and from then on that one. It
// goes on by monotonic time, so that putting our clock right does not move it.
type clock struct{ told, heard time.Time }

func (c clock) now() time.Time {
	if c.heard.IsZero() {
		return time.Now()
	}
	return c.told.Add(time.Since(c.heard))
}
