package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	classicAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	joinAlphabet    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	joinTokenLife   = time.Hour
)

// credential is a token for the REST API.
type credential struct {
	secret string
	scopes []string // nil: all of them
	weak   bool     // sees its scopes, may do nothing to their runners
	app    bool     // an installation token of a GitHub App
	// permissions narrow an installation token; nil leaves it all.
	permissions map[string]string
	expires     time.Time
}

func (c *credential) covers(scope string) bool {
	return c.scopes == nil || slices.Contains(c.scopes, scope)
}

// Token is a classic personal access token that may do everything.
func (s tokenStore) Token() string { return s.adminToken }

// AddToken makes a personal access token that may do everything to exactly these scopes. GitHub hides the others from
// it: they answer 404.
func (s tokenStore) AddToken(scopePaths ...string) string {
	return s.addScoped(scopePaths, false)
}

// AddWeakToken makes a classic token that sees these scopes and lacks the permission for their runners: they answer 403.
func (s tokenStore) AddWeakToken(scopePaths ...string) string {
	return s.addScoped(scopePaths, true)
}

// RevokeToken makes the server forget a token of any kind; it stays among the secrets.
func (s tokenStore) RevokeToken(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.credentials, secret)
	delete(s.joinTokens, secret)
	delete(s.accessTokens, secret)
}

func (s tokenStore) addScoped(scopePaths []string, weak bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	scopes := make([]string, len(scopePaths))
	for i, p := range scopePaths {
		scopes[i] = normalScope(p)
	}
	return s.addCredential(&credential{secret: newClassicToken(), scopes: scopes, weak: weak})
}

func (st *state) addCredential(c *credential) string {
	st.credentials[c.secret] = c
	return st.remember(c.secret)
}

// RegistrationToken mints a registration token for a scope without a request, as somebody on the web page would.
func (s tokenStore) RegistrationToken(scopePath string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newJoinToken(normalScope(scopePath), purposeRegister)
}

// RemoveToken does the same for a remove token.
func (s tokenStore) RemoveToken(scopePath string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newJoinToken(normalScope(scopePath), purposeRemove)
}

func (s tokenStore) newJoinToken(scope, purpose string) string {
	secret := s.remember("A" + randomString(joinAlphabet, 28))
	s.joinTokens[secret] = &joinToken{scope: scope, purpose: purpose, expires: s.now().Add(joinTokenLife)}
	return secret
}

// Secrets lists every secret the server ever accepted or issued.
func (s tokenStore) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

func newClassicToken() string { return "ghp_" + randomString(classicAlphabet, 36) }

// newJWTLike makes a token of the form the runner insists on: it reads the claims and never checks the signature.
func newJWTLike(claims string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." +
		enc.EncodeToString([]byte(claims)) + "." + randomString(classicAlphabet, 43)
}

func randomString(alphabet string, n int) string {
	raw := make([]byte, n)
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(raw)
	for i, b := range raw {
		raw[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(raw)
}

func newGUID() string {
	h := randomString("0123456789abcdef", 32)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// runnerKey is the key of every runner of a process that is configured just in time: making one takes as long as all the
// rest of a test, and nobody compares two of them.
//
//nolint:gochecknoglobals // it is as random as one of each runner's own
var runnerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating a runner key: %w", err)
	}
	return key, nil
})
