package contract_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

var theContract = sync.OnceValues(contract.New)

// exchange is one request and the answer the handler gives.
type exchange struct {
	method, path, body string
	without            string // a header to leave out
	set                map[string]string
	status             int
	answer             string
	answerHeader       map[string]string
}

const goodRunner = `{"id":1,"name":"a","os":"linux","status":"online","busy":false,"labels":[]}`

func listing() exchange {
	return exchange{
		method: "GET", path: "/orgs/o/actions/runners", status: 200,
		answer: `{"total_count":1,"runners":[` + goodRunner + `]}`,
	}
}

func jit() exchange {
	return exchange{
		method: "POST", path: "/orgs/o/actions/runners/generate-jitconfig", status: 201,
		body:   `{"name":"a","runner_group_id":1,"labels":["x"]}`,
		answer: `{"runner":` + goodRunner + `,"encoded_jit_config":"e30="}`,
	}
}

func schedule(root string) exchange {
	return exchange{
		method: "GET", path: root + "/orgs/o/actions/runners/deprecations/2.300.0", status: 200,
		answer: `{"runner_version":"2.300.0"}`,
	}
}

func with(e exchange, change func(*exchange)) exchange {
	change(&e)
	return e
}

func (e exchange) violations(t *testing.T) []string {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var out []string
	h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != e.body {
			t.Errorf("the handler got %q: %v", got, err)
		}
		if e.answer != "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		for k, v := range e.answerHeader {
			w.Header().Set(k, v)
		}
		w.WriteHeader(e.status)
		if _, err := io.WriteString(w, e.answer); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Error(err)
		}
	}), func(err error) {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, err.Error())
	})
	req := httptest.NewRequestWithContext(context.Background(), e.method, e.path, strings.NewReader(e.body))
	for k, v := range map[string]string{
		"Authorization": "Bearer x", "User-Agent": "test", "Accept": "application/vnd.github+json",
		"X-GitHub-Api-Version": "2022-11-28",
	} {
		req.Header.Set(k, v)
	}
	if e.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Del(e.without)
	for k, v := range e.set {
		req.Header.Set(k, v)
	}
	h.ServeHTTP(httptest.NewRecorder(), req)
	return out
}

func TestContract(t *testing.T) {
	for _, tc := range []struct {
		name string
		e    exchange
		want string // part of the violation; empty: none
	}{
		{"legal list", listing(), ""},
		{"legal list on GHES", with(listing(), func(e *exchange) { e.path = "/api/v3" + e.path }), ""},
		{"legal creation", jit(), ""},
		{"no authorization", with(listing(), func(e *exchange) { e.without = "Authorization" }), "no Authorization"},
		{"no agent", with(listing(), func(e *exchange) { e.without = "User-Agent" }), "User-Agent"},
		{"Go's agent", with(listing(), func(e *exchange) { e.set = map[string]string{"User-Agent": "Go-http-client/1.1"} }), "User-Agent"},
		{"no accept", with(listing(), func(e *exchange) { e.without = "Accept" }), "Accept"},
		{"other version", with(listing(), func(e *exchange) { e.set = map[string]string{"X-GitHub-Api-Version": "2026-03-10"} }), "Version"},
		{"bad page size", with(listing(), func(e *exchange) { e.path += "?per_page=all" }), "per_page"},
		{"unknown path", with(listing(), func(e *exchange) { e.path = "/orgs/o/actions/runner" }), "no such operation"},
		{"unknown method", with(listing(), func(e *exchange) { e.method = "PATCH" }), "no such operation"},
		{"missing field", with(jit(), func(e *exchange) { e.body = `{"name":"a","labels":["x"]}` }), "runner_group_id"},
		{"empty labels", with(jit(), func(e *exchange) { e.body = `{"name":"a","runner_group_id":1,"labels":[]}` }), "minimum"},
		{"unknown field", with(jit(), func(e *exchange) {
			e.body = `{"name":"a","runner_group_id":1,"labels":["x"],"ephemeral":true}`
		}), `unknown field "ephemeral"`},
		{"body where none belongs", exchange{
			method: "POST", path: "/orgs/o/actions/runners/registration-token", body: `{"a":1}`, status: 201,
			answer: `{"token":"x","expires_at":"2026-01-01T00:00:00Z"}`,
		}, "not as described"},
		{"answer without busy", with(listing(), func(e *exchange) { e.answer = strings.Replace(e.answer, `"busy":false,`, "", 1) }), "busy"},
		{"200 for a creation", with(jit(), func(e *exchange) { e.status = 200 }), "not described"},
		{"undeclared error", with(listing(), func(e *exchange) { e.status, e.answer = 403, `{"message":"no"}` }), ""},
		{"error without message", with(listing(), func(e *exchange) { e.status, e.answer = 403, `{}` }), "no message"},
		{"error that is no JSON", with(listing(), func(e *exchange) { e.status, e.answer = 502, `<html>` }), "not JSON"},
		{"garbage on purpose", with(listing(), func(e *exchange) {
			e.status, e.answer, e.answerHeader = 200, `<html>`, map[string]string{githubtest.FaultHeader: "x"}
		}), ""},
		{"anonymous meta", exchange{
			method: "GET", path: "/meta", without: "Authorization", status: 200,
			answer: `{"verifiable_password_authentication":true}`,
		}, ""},
		{"schedule", schedule(""), ""},
		{"schedule on GHES", with(schedule("/api/v3"), func(e *exchange) {
			e.status, e.answer = 404, `{"message":"Not Found"}`
		}), ""},
		{"schedule answered by GHES", schedule("/api/v3"), "does not have this operation"},
		{"escaped label", exchange{
			method: "DELETE", path: "/orgs/o/actions/runners/1/labels/a%2Fb", status: 200,
			answer: `{"total_count":0,"labels":[]}`,
		}, ""},
		{"runner's own protocol", exchange{
			method: "POST", path: "/api/v3/actions/runner-registration", without: "Accept",
			body: `{"url":"x"}`, status: 200, answer: `{}`,
		}, ""},
		{"runner deletes itself", exchange{
			method: "DELETE", path: "/orgs/o/actions/runners/1", without: "User-Agent", status: 204,
			set: map[string]string{"Authorization": "RemoteAuth t"},
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.e.violations(t)
			switch {
			case tc.want == "" && len(got) > 0:
				t.Errorf("violations %q", got)
			case tc.want != "" && (len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), tc.want)):
				t.Errorf("violations %q, none with %q", got, tc.want)
			}
		})
	}
}

func TestOperation(t *testing.T) {
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"GET /orgs/o/actions/runners":                             "github GET /orgs/{org}/actions/runners",
		"GET /api/v3/repos/o/r/actions/runners/7":                 "ghes GET /repos/{owner}/{repo}/actions/runners/{runner_id}",
		"GET /api/v3/orgs/o/actions/runners/deprecations/2.300.0": "ghes GET /orgs/{org}/actions/runners/deprecations/{version}",
		"DELETE /enterprises/e/actions/runners/7/labels/a%2Fb":    "github DELETE /enterprises/{enterprise}/actions/runners/{runner_id}/labels/{name}",
		"GET /nothing":                  "",
		"PATCH /orgs/o/actions/runners": "",
	} {
		method, path, _ := strings.Cut(at, " ")
		root, operation, err := c.Operation(httptest.NewRequestWithContext(context.Background(), method, path, http.NoBody))
		if got := strings.TrimSpace(root + " " + operation); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v, want %q", at, got, err, want)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := contract.New(); err != nil {
			b.Fatal(err)
		}
	}
}
