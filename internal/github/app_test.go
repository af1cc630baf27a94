package github_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

const clientID = "Iv23liSimulated"

func theKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keyText is the App's key as GitHub hands it out.
func keyText(t *testing.T) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(theKey(t))}))
}

func api() *transport.Client {
	return transport.NewAPI(transport.Config{UserAgent: "runner-bootstrap/test"})
}

func newApp(t *testing.T, scope github.Scope, config github.AppConfig) *github.App {
	t.Helper()
	if config.ID == "" {
		config.ID = clientID
	}
	if config.Key.Empty() {
		config.Key = secret.New(keyText(t))
	}
	app, err := github.NewApp(api(), scope, config)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func scopeOf(t *testing.T, rawURL, apiURL string) github.Scope {
	t.Helper()
	scope, err := github.ParseScope(rawURL, apiURL)
	if err != nil {
		t.Fatal(err)
	}
	return scope
}

// asApp does one thing as an App, whatever form its name and key have.
func asApp(t *testing.T, server *githubtest.Server, scope github.Scope) {
	t.Helper()
	key := theKey(t)
	for id, text := range map[string]string{
		clientID: keyText(t),
		"12345":  "a comment\n" + keyText(t),
	} {
		server.AddApp(id, &key.PublicKey, scope.Slug())
		app := newApp(t, scope, github.AppConfig{ID: id, Key: secret.New(text)})
		if _, err := github.NewClient(api(), scope, app).RegistrationToken(t.Context()); err != nil {
			t.Errorf("App %s: %v", id, err)
		}
	}
}

func count(server *githubtest.Server, suffix string, status int) int {
	n := 0
	for _, request := range server.Requests() {
		if strings.HasSuffix(request.Path, suffix) && request.Status == status {
			n++
		}
	}
	return n
}

// What an App asks for is the least that does.
func TestAppAsksForTheLeast(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]string{
		"octo-org":       `{"permissions":{"organization_self_hosted_runners":"write"}}`,
		"octo-org/hello": `{"permissions":{"administration":"write"},"repositories":["hello"]}`,
	} {
		server := simulate(t)
		server.AddApp(clientID, &theKey(t).PublicKey, scope, "octo-org/another")
		at := scopeOf(t, server.URL()+"/"+scope, "")
		if _, err := github.NewClient(api(), at, newApp(t, at, github.AppConfig{})).Runners(t.Context(), ""); err != nil {
			t.Error(err)
		}
		for _, request := range server.Requests() {
			if strings.HasSuffix(request.Path, "/access_tokens") && request.Body != want {
				t.Errorf("%s asks for %s, want %s", scope, request.Body, want)
			}
		}
		if got := len(server.Requests()); got != 3 {
			t.Errorf("%s took %d requests, want 3", scope, got)
		}
	}
}

func TestAppKeepsItsToken(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	scope := scopeOf(t, server.URL()+"/"+slug, "")
	app := newApp(t, scope, github.AppConfig{})
	// The clock of the bubble stands at the year 2000, so that all of this is
	// about a host that has booted without knowing the time as well.
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		tokens := make(chan string, 20)
		for range cap(tokens) {
			group.Go(func() {
				token, err := app.Token(t.Context())
				if err != nil {
					t.Error(err)
				}
				tokens <- token.Reveal()
			})
		}
		group.Wait()
		first := <-tokens
		for range cap(tokens) - 1 {
			if another := <-tokens; another != first {
				t.Errorf("two tokens: %s and %s", first, another)
			}
		}
		for _, step := range []struct {
			wait  time.Duration
			mints int
		}{{0, 1}, {54*time.Minute + 50*time.Second, 1}, {15 * time.Second, 2}, {time.Minute, 2}} {
			time.Sleep(step.wait)
			if _, err := app.Token(t.Context()); err != nil {
				t.Error(err)
			}
			if got := count(server, "/access_tokens", 201); got != step.mints {
				t.Errorf("%d tokens were minted, want %d", got, step.mints)
			}
		}
		// The second token needs no other look.
		if found, refused := count(server, "/installation", 200), count(server, "/installation", 401); found != 1 || refused != 1 {
			t.Errorf("the installation was found %d times and refused %d times for its date, want 1 and 1", found, refused)
		}
	})
}

func lastToken(server *githubtest.Server) string {
	for _, secret := range slices.Backward(server.Secrets()) {
		if strings.HasPrefix(secret, "ghs_") {
			return secret
		}
	}
	return ""
}

func TestAppRenewsARefusedToken(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	scope := scopeOf(t, server.URL()+"/"+slug, "")
	c := github.NewClient(api(), scope, newApp(t, scope, github.AppConfig{}))
	for want := 1; want <= 2; want++ {
		if _, err := c.JITConfig(t.Context(), github.JITRequest{Name: fmt.Sprint("web-", want), Labels: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		if got := count(server, "/access_tokens", 201); got != want {
			t.Errorf("%d tokens were minted, want %d", got, want)
		}
		server.RevokeToken(lastToken(server))
	}
	server.Fault(githubtest.Fault{Status: 401, Path: "/orgs/*/actions/runners"})
	_, err := c.Runners(t.Context(), "")
	if !errors.Is(err, github.ErrUnauthorized) || errors.Is(err, github.ErrClock) || count(server, "/access_tokens", 201) != 3 || count(server, "/runners", 401) != 2 {
		t.Errorf("%v after %d tokens and %d looks, want 3 and 2", err, count(server, "/access_tokens", 201), count(server, "/runners", 401))
	}
}

func TestStaticTokenIsNotRenewed(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	_, err := newClient(t, server.URL()+"/"+slug, "", "ghp_wrong").Runners(t.Context(), "")
	if !errors.Is(err, github.ErrUnauthorized) || len(server.Requests()) != 1 {
		t.Errorf("%v after %d requests, want 1", err, len(server.Requests()))
	}
}

// A clock that is wrong is not the end; only together with another reason.
func TestAppByAWrongClock(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	scope := scopeOf(t, server.URL()+"/"+slug, "")
	unknown := newApp(t, scope, github.AppConfig{ID: "Iv23liUnknown"})
	synctest.Test(t, func(t *testing.T) {
		_, err := github.NewClient(api(), scope, unknown).Runners(t.Context(), "")
		pattern := `this host's clock is wrong: it is \d{6}h\d+m\d+s behind GitHub's: .*Integration not found`
		if !errors.Is(err, github.ErrUnauthorized) || !errors.Is(err, github.ErrClock) || !regexp.MustCompile(pattern).MatchString(err.Error()) {
			t.Errorf("%v does not say how far behind the clock is", err)
		}
	})
	if got := len(server.Requests()); got != 2 {
		t.Errorf("%d requests, want one more after the clock was put right", got)
	}
	past := http.Header{"Date": {time.Now().Add(-3 * time.Hour).UTC().Format(http.TimeFormat)}}
	server.Fault(githubtest.Fault{Status: 401, Header: past})
	_, err := newApp(t, scope, github.AppConfig{}).Token(t.Context())
	if !errors.Is(err, github.ErrClock) || !regexp.MustCompile(`it is 3h0m\d+s ahead of GitHub's`).MatchString(err.Error()) {
		t.Errorf("%v does not say that the clock is three hours ahead", err)
	}
	if got := len(server.Requests()); got != 4 {
		t.Errorf("%d requests, want 4", got)
	}
	server.ClearFaults()
	_, err = newApp(t, scope, github.AppConfig{ID: "Iv23liUnknown"}).Token(t.Context())
	if !errors.Is(err, github.ErrUnauthorized) || errors.Is(err, github.ErrClock) || len(server.Requests()) != 5 {
		t.Errorf("%v after %d requests, but the clock is right", err, len(server.Requests())-4)
	}
}

func TestAppCannot(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	elsewhere := scopeOf(t, server.URL()+"/somebody-else", "")
	for name, app := range map[string]*github.App{
		"not installed":         newApp(t, elsewhere, github.AppConfig{}),
		"no such installation":  newApp(t, elsewhere, github.AppConfig{Installation: 999}),
		"in a wrong repository": newApp(t, scopeOf(t, server.URL()+"/somebody-else/x", ""), github.AppConfig{}),
	} {
		_, err := github.NewClient(api(), elsewhere, app).Runners(t.Context(), "")
		if !errors.Is(err, github.ErrNotInstalled) || !errors.Is(err, github.ErrNotFound) || !strings.Contains(err.Error(), clientID) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := github.NewApp(api(), scopeOf(t, server.URL()+"/enterprises/octo", ""), github.AppConfig{ID: clientID}); !errors.Is(err, github.ErrAppEnterprise) {
		t.Errorf("an App for an enterprise: %v", err)
	}
}

// dated checks what a web token says of its time: back a minute, for a clock
// that is a little fast, and no more than the ten minutes that GitHub takes.
func dated(t *testing.T, token string) {
	t.Helper()
	var claims struct {
		Issuer  string `json:"iss"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	back, life := time.Since(time.Unix(claims.Issued, 0)), claims.Expires-claims.Issued
	if claims.Issuer != clientID || back < 59*time.Second || back > 80*time.Second || life < 9*60 || life > 10*60 {
		t.Errorf("a web token of %q is dated back %v and lives %d seconds: %s", claims.Issuer, back, life, text)
	}
}

// A token that was minted and lost does no harm, so minting bears with that.
func TestAppMintsAgainAfterALostAnswer(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	server.Fault(githubtest.Fault{Path: "/app/installations/*/access_tokens", Status: 502, AfterEffect: true, Times: 1})
	app := newApp(t, scopeOf(t, server.URL()+"/"+slug, ""), github.AppConfig{})
	inBubble(t, func(t *testing.T) {
		if _, err := app.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A given installation is not looked for.
func TestAppOfAGivenInstallation(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		dated(t, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":"t0k3n","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	defer server.Close()
	token, err := newApp(t, scopeOf(t, server.URL+"/"+slug, ""), github.AppConfig{Installation: 77}).Token(t.Context())
	if want := []string{"POST /api/v3/app/installations/77/access_tokens"}; err != nil || token.Reveal() != "t0k3n" || !slices.Equal(asked, want) {
		t.Errorf("%v, %q, want %q", err, asked, want)
	}
}

// GitHub leads from a repository's old name to its number, other servers may
// lead to its new name; a token is restricted to what is there.
func TestAppInARenamedRepository(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/api/v3/repositories/4711/installation":  `{"permissions":{"administration":"write"},"repository_ids":[4711]}`,
		"/api/v3/repos/octo-org/new/installation": `{"permissions":{"administration":"write"},"repositories":["new"]}`,
	} {
		body := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/api/v3/repos/octo-org/old/installation":
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusMovedPermanently)
			case to:
				fmt.Fprint(w, `{"id":5}`)
			default:
				var got json.RawMessage
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
				body = string(got)
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"token":"t","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
			}
		}))
		_, err := newApp(t, scopeOf(t, server.URL+"/octo-org/old", ""), github.AppConfig{}).Token(t.Context())
		server.Close()
		if err != nil || body != want {
			t.Errorf("%v, asks for %s, want %s", err, body, want)
		}
	}
}

func TestAppOfOddAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubtest.Fault{
		"no id":    {Path: "/orgs/*/installation", Status: 200, Body: `{}`},
		"no token": {Path: "/app/installations/*/access_tokens", Status: 201, Body: `{"expires_at":"2026-01-01T00:00:00Z"}`},
		"no end":   {Path: "/app/installations/*/access_tokens", Status: 201, Body: `{"token":"x"}`},
	} {
		server := simulate(t)
		server.AddApp(clientID, &theKey(t).PublicKey, slug)
		server.Fault(fault)
		_, err := newApp(t, scopeOf(t, server.URL()+"/"+slug, ""), github.AppConfig{}).Token(t.Context())
		if !errors.Is(err, github.ErrNotGitHub) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// scripted is a server that gives one answer after the other, and how many were
// asked for.
func scripted(t *testing.T, answers ...func(http.ResponseWriter)) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		answers[min(int(asked.Add(1)), len(answers))-1](w)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func says(status int, body string, words ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for name, values := range headers(words...) {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// A web token is good for minutes; a limit can ask for a longer wait.
func TestAppWaitsLongerThanItsWebTokenLives(t *testing.T) {
	t.Parallel()
	const later = "Sat, 01 Jan 2000 00:20:00 GMT" // by the bubble's clock, after the wait
	url, asked := scripted(t, says(429, `{}`, "Retry-After", "1200"), says(401, `{}`, "Date", later), says(200, `{"id":5}`, "Date", later),
		says(201, `{"token":"t0k3n","expires_at":"2000-01-01T01:20:00Z"}`, "Date", later))
	app := newApp(t, scopeOf(t, url+"/"+slug, ""), github.AppConfig{})
	inBubble(t, func(t *testing.T) {
		if token, err := app.Token(t.Context()); err != nil || token.Reveal() != "t0k3n" {
			t.Errorf("%v after %d requests", err, asked.Load())
		}
	})
}

// An App that was removed and installed again has another installation.
func TestAppThatWasInstalledAgain(t *testing.T) {
	t.Parallel()
	token := fmt.Sprintf(`{"token":"t0k3n","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	url, asked := scripted(t, says(200, `{"id":5}`), says(404, `{}`), says(200, `{"id":6}`), says(201, token))
	app := newApp(t, scopeOf(t, url+"/"+slug, ""), github.AppConfig{})
	if _, err := app.Token(t.Context()); !errors.Is(err, github.ErrNotInstalled) {
		t.Errorf("%v, want an installation that is gone", err)
	}
	if _, err := app.Token(t.Context()); err != nil || asked.Load() != 4 {
		t.Errorf("%v after %d requests, want 4 with another look", err, asked.Load())
	}
}

// A token whose minting was given up by one is minted by the next who waits.
func TestAppWhoGivesUpTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	app := newApp(t, scopeOf(t, server.URL()+"/"+slug, ""), github.AppConfig{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := app.Token(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a call that was given up", err)
	}
	if _, err := app.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAppIDs(t *testing.T) {
	t.Parallel()
	good := keyText(t)
	for _, id := range []string{"", "two words", good, "a\nb"} {
		_, err := github.NewApp(api(), scopeOf(t, "https://github.com/octo-org", ""), github.AppConfig{ID: id, Key: secret.New(good)})
		if !errors.Is(err, github.ErrAppID) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("App %.20q: %v", id, err)
		}
	}
}

func TestAppShowsNoSecret(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddApp(clientID, &theKey(t).PublicKey, slug)
	app := newApp(t, scopeOf(t, server.URL()+"/"+slug, ""), github.AppConfig{})
	if _, err := app.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"app": app})
	if err != nil {
		t.Fatal(err)
	}
	all := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		all += "\n" + fmt.Sprintf(verb, app) + fmt.Sprintf(verb, map[string]any{"a": struct{ b *github.App }{app}})
	}
	for _, secret := range append(server.Secrets(), theKey(t).D.String(), theKey(t).D.Text(16)) {
		if strings.Contains(all, secret) {
			t.Errorf("an App shows %.8s... of itself in %s", secret, all)
		}
	}
}
