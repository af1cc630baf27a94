package herd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	version = "2.337.0"
	// publicKey is in the form in which .NET writes one. No host of the herd starts its runner, which would need the
	// other half, so all may have the same.
	publicKey = "<RSAKeyValue><Modulus>q83v</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>"
)

// host is one machine that becomes a runner.
type host struct {
	name    string
	product *bootstrap.Host
	client  *github.Client
	request plan.Request
	api     string          // the REST root
	wire    *http.Transport // of the product's client
	runner  *http.Transport // of the runner's own program

	took time.Duration
	err  error
}

func newHost(t *testing.T, name, dir string, scope github.Scope, server *githubtest.Server, pipes *githubtest.Pipes) *host {
	t.Helper()
	h := &host{name: name, api: server.APIURL(), runner: &http.Transport{DialContext: pipes.Dial}}
	web := transport.NewAPI(transport.Config{UserAgent: h.agent()})
	if h.wire = wireOf(reflect.ValueOf(web), 12); h.wire == nil {
		t.Fatalf("no *http.Transport is found in %T: lead its connections to the simulator in another way", web)
	}
	h.wire.DialContext, h.wire.Proxy = pipes.Dial, nil
	t.Cleanup(h.wire.CloseIdleConnections)
	t.Cleanup(h.runner.CloseIdleConnections)
	h.client = github.NewClient(web, scope, github.Static(secret.New(server.Token())))
	paths := instance.DefaultPaths(dir)
	h.product = &bootstrap.Host{
		Paths: paths, Store: instance.NewStore(paths.State), Private: true, Log: slog.New(slog.DiscardHandler),
		Fetcher: &download.Fetcher{Cache: download.Cache{Dir: paths.Cache}},
		Connect: func(github.Scope) *github.Client { return h.client },
	}
	h.request = plan.Request{Scope: scope, Template: name}
	return h
}

// agent is the name under which the server knows this host.
func (h *host) agent() string { return "herd/" + h.name }

// wireOf finds the connections of a client, wherever it keeps them: the program has no use for connections of somebody
// else's, so the product has no way to be given any, and a virtual clock stands still before a real socket.
func wireOf(v reflect.Value, depth int) *http.Transport {
	if depth == 0 {
		return nil
	}
	switch v.Kind() { //nolint:exhaustive // the others hold nothing that leads on
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Type() == reflect.TypeFor[*http.Transport]() {
			return (*http.Transport)(v.UnsafePointer())
		}
		return wireOf(v.Elem(), depth-1)
	case reflect.Struct:
		for i := range v.NumField() {
			if found := wireOf(v.Field(i), depth-1); found != nil {
				return found
			}
		}
	}
	return nil
}

// bootstrap does what install does, without the archive, which GitHub's API has no part in.
func (h *host) bootstrap(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	h.err = h.become(ctx)
	h.took = time.Since(began)
}

func (h *host) become(ctx context.Context) error {
	plan, err := h.product.Planner().Make(ctx, h.request)
	if err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	if plan.Name != h.name || plan.Asset == nil {
		return fmt.Errorf("the plan is for %q, with asset %v", plan.Name, plan.Asset)
	}
	token, err := h.client.RegistrationToken(ctx)
	if err != nil {
		return err
	}
	return h.configure(ctx, plan.ScopeURL, token.Value.Reveal())
}

// configure sends what config.sh sends, in its order.
func (h *host) configure(ctx context.Context, scopeURL, token string) error {
	entity := "/orgs/" + organization + "/actions"
	label := map[string]string{"name": "self-hosted", "type": "system"}
	for _, step := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/actions/runner-registration", map[string]any{"url": scopeURL, "runner_event": "register"}},
		{http.MethodGet, entity + "/runner-groups", nil},
		{http.MethodGet, entity + "/runners?name=" + url.QueryEscape(h.name), nil},
		{http.MethodPost, "/actions/runners/register", map[string]any{
			"url": scopeURL, "group_id": 1, "name": h.name, "version": version, "public_key": publicKey,
			"labels": []any{label}, "updates_disabled": false, "ephemeral": false,
		}},
	} {
		if err := h.send(ctx, step.method, step.path, step.body, token); err != nil {
			return fmt.Errorf("configuring: %s %s: %w", step.method, step.path, err)
		}
	}
	return nil
}

// send does one request of the runner's, which gives up over every refusal.
func (h *host) send(ctx context.Context, method, path string, body any, token string) error {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.api+path, in)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "RemoteAuth "+token)
	req.Header.Set("User-Agent", "GitHubActionsRunner-linux-x64/"+version+" "+h.agent())
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := h.runner.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	return err
}
