package contract

import (
	"net/http"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// Start starts a GitHub for a test, which fails with every request and every answer that is not legal, and with whatever else the server
// found to be wrong. It ends with the test.
func Start(t testing.TB, config githubtest.Config) *githubtest.Server {
	t.Helper()
	rules, err := New()
	if err != nil {
		t.Fatal(err)
	}
	config.Wrap = func(next http.Handler) http.Handler { return rules.Wrap(next, func(err error) { t.Error(err) }) }
	server, err := githubtest.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range server.Problems() {
			t.Error(problem)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}
