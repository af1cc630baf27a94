// Package contract holds HTTP traffic to GitHub's OpenAPI description of the runner operations, that of github.com and
// that of GitHub Enterprise Server.
package contract

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	ghesPrefix = "/api/v3"
	mediaType  = "application/vnd.github+json"
	apiVersion = "2022-11-28"
)

//go:embed testdata/*.json
var descriptions embed.FS

// Contract checks requests and answers. It may be used by many servers at once.
type Contract struct {
	github, ghes routers.Router
}

// New reads both descriptions. It takes most of a second: make one and share it.
func New() (*Contract, error) {
	type loaded struct {
		router routers.Router
		err    error
	}
	later := make(chan loaded, 1)
	go func() {
		r, err := load("testdata/github-runners-ghes.openapi.json")
		later <- loaded{r, err}
	}()
	github, err := load("testdata/github-runners.openapi.json")
	ghes := <-later
	if err := errors.Join(err, ghes.err); err != nil {
		return nil, err
	}
	return &Contract{github: github, ghes: ghes.router}, nil
}

func load(name string) (routers.Router, error) {
	raw, err := descriptions.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the description %q: %w", name, err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("loading the description %q: %w", name, err)
	}
	if err := addReleases(doc); err != nil {
		return nil, err
	}
	// The addresses it names are GitHub's; what it says holds for any.
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("routing the description %q: %w", name, err)
	}
	return router, nil
}

// addReleases adds the look-up of a release by its tag, which the extracts about runners leave out.
func addReleases(doc *openapi3.T) error {
	const name = "testdata/github-releases.openapi.json"
	raw, err := descriptions.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the description %q: %w", name, err)
	}
	releases, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return fmt.Errorf("loading the description %q: %w", name, err)
	}
	for path, item := range releases.Paths.Map() {
		doc.Paths.Set(path, item)
	}
	return nil
}

// Wrap puts the contract around a handler that has both REST roots, "/" and "/api/v3". Each violation goes to report;
// the traffic itself is never changed. The runner's own protocol passes unseen, and so do answers that carry
// githubtest.FaultHeader.
func (c *Contract) Wrap(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if githubtest.IsRunnerProtocol(r) {
			next.ServeHTTP(w, r)
			return
		}
		tell := func(err error) { report(fmt.Errorf("contract: %s %s: %w", r.Method, r.URL.Path, err)) }
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tell(fmt.Errorf("reading the request: %w", err))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		found, err := c.find(r, body)
		if err != nil {
			tell(err)
			next.ServeHTTP(w, r)
			return
		}
		for _, err := range found.checkRequest(r.Context()) {
			tell(err)
		}
		out := &tee{ResponseWriter: w}
		next.ServeHTTP(out, r)
		if err := found.checkAnswer(r.Context(), out); err != nil {
			tell(err)
		}
	})
}

// Operation names the operation that a request asks for, as "GET /orgs/{org}/actions/runners", and the root that it
// asks at, "github" or "ghes". An operation that GitHub Enterprise Server does not have is named there too.
func (c *Contract) Operation(r *http.Request) (root, operation string, err error) {
	found, err := c.find(r, nil)
	if err != nil {
		return "", "", err
	}
	root = "github"
	if strings.HasPrefix(r.URL.Path, ghesPrefix+"/") {
		root = "ghes"
	}
	return root, found.input.Route.Method + " " + found.input.Route.Path, nil
}

// operation is a request with the place it has in a description.
type operation struct {
	input *openapi3filter.RequestValidationInput
	body  []byte
	// missing: GitHub Enterprise Server does not have it and answers 404, as a client has to expect.
	missing bool
}

// find looks an operation up. The copy it keeps is what the checks may read.
func (c *Contract) find(r *http.Request, body []byte) (*operation, error) {
	req := r.Clone(r.Context())
	router, isGHES := c.github, false
	if strings.HasPrefix(r.URL.Path, ghesPrefix+"/") {
		router, isGHES = c.ghes, true
		req.URL = stripped(r.URL)
	}
	route, params, err := router.FindRoute(req)
	missing := false
	if err != nil && isGHES {
		if route, params, err = c.github.FindRoute(req); err == nil {
			missing = true
		}
	}
	if err != nil {
		return nil, fmt.Errorf("no such operation: %w", err)
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return &operation{
		missing: missing, body: body,
		input: &openapi3filter.RequestValidationInput{
			Request: req, PathParams: params, Route: route, Options: options,
		},
	}, nil
}

func stripped(u *url.URL) *url.URL {
	out := *u
	out.Path = strings.TrimPrefix(u.Path, ghesPrefix)
	out.RawPath = strings.TrimPrefix(u.RawPath, ghesPrefix)
	return &out
}

// isPublic names the operations anybody may ask without saying who he is.
func isPublic(path string) bool {
	return path == "/rate_limit" || path == "/meta" || strings.HasPrefix(path, "/repos/{owner}/{repo}/releases/")
}

func (o *operation) checkRequest(ctx context.Context) []error {
	var out []error
	header := o.input.Request.Header
	if header.Get("Authorization") == "" && !isPublic(o.input.Route.Path) {
		out = append(out, errors.New("the request has no Authorization"))
	}
	// net/http fills in an agent of its own, which tells GitHub nothing.
	if agent := header.Get("User-Agent"); agent == "" || strings.HasPrefix(agent, "Go-http-client/") {
		out = append(out, fmt.Errorf("the request has User-Agent %q", agent))
	}
	for name, want := range map[string]string{"Accept": mediaType, "X-Github-Api-Version": apiVersion} {
		if got := header.Get(name); got != want {
			out = append(out, fmt.Errorf("the request has %s %q instead of %q", name, got, want))
		}
	}
	if err := openapi3filter.ValidateRequest(ctx, o.input); err != nil {
		out = append(out, fmt.Errorf("the request is not as described: %w", brief(err)))
	}
	return append(out, o.unknownFields()...)
}

// unknownFields are those GitHub would pass over in silence, as it does misspelt ones.
func (o *operation) unknownFields() []error {
	if o.input.Route.Operation.RequestBody == nil || len(o.body) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(o.body, &fields); err != nil {
		return []error{fmt.Errorf("the request body is no object: %w", err)}
	}
	var known openapi3.Schemas
	if media := o.input.Route.Operation.RequestBody.Value.GetMediaType("application/json"); media != nil {
		known = media.Schema.Value.Properties
	}
	var out []error
	for name := range fields {
		if known[name] == nil {
			out = append(out, fmt.Errorf("the request body has an unknown field %q", name))
		}
	}
	return out
}

func (o *operation) checkAnswer(ctx context.Context, t *tee) error {
	if t.exempt {
		return nil
	}
	if o.missing {
		if t.status != http.StatusNotFound {
			return fmt.Errorf("the answer is %d, but GitHub Enterprise Server does not have this operation", t.status)
		}
		return checkMessage(t)
	}
	if o.input.Route.Operation.Responses.Status(t.status) == nil {
		if !answersUndeclared(t.status) {
			return fmt.Errorf("the answer has status %d, which is not described", t.status)
		}
		return checkMessage(t)
	}
	err := openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: o.input, Status: t.status, Header: t.header,
		Body: io.NopCloser(bytes.NewReader(t.body.Bytes())), Options: o.input.Options,
	})
	if err != nil {
		return fmt.Errorf("the answer %d is not as described: %w", t.status, brief(err))
	}
	return nil
}

// brief leaves out the whole schema and the whole value, which the library prints with every error.
func brief(err error) error {
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return err
	}
	short := fmt.Errorf("at /%s: %s", strings.Join(schema.JSONPointer(), "/"), schema.Reason)
	if schema.Origin != nil {
		return fmt.Errorf("%w: %w", short, brief(schema.Origin))
	}
	return short
}

// answersUndeclared knows the statuses GitHub gives without describing them.
func answersUndeclared(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// checkMessage asks of an error no more than that it can be read.
func checkMessage(t *tee) error {
	var body struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(t.body.Bytes(), &body); err != nil {
		return fmt.Errorf("the answer %d is not JSON: %w", t.status, err)
	}
	if body.Message == "" {
		return fmt.Errorf("the answer %d has no message", t.status)
	}
	return nil
}

// tee keeps a copy of an answer on its way.
type tee struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
	exempt bool
}

// WriteHeader keeps the status and passes it on.
func (t *tee) WriteHeader(status int) {
	if t.status == 0 {
		t.status, t.header = status, t.Header().Clone()
		t.exempt = t.header.Get(githubtest.FaultHeader) != ""
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write keeps the bytes and passes them on.
func (t *tee) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	// A buffer in memory takes everything.
	_, _ = t.body.Write(p)
	n, err := t.ResponseWriter.Write(p)
	if err != nil {
		return n, fmt.Errorf("passing an answer on: %w", err)
	}
	return n, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }
