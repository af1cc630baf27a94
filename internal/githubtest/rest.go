package githubtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	rootGHES    = "ghes"
	rootGitHub  = "github"
	rootRunner  = "runner"
	rootArchive = "archive"

	docsURL      = "https://docs.github.com/rest/actions/self-hosted-runners"
	maxBody      = 4 << 20
	rateLimitMax = 5000
)

// FaultHeader marks, inside the server, an answer that is wrong on purpose. It never reaches the wire.
const FaultHeader = "X-Simulator-Fault"

// call is one request with what the router learned of it.
type call struct {
	*http.Request
	s     *Server
	root  string // rootGHES or rootGitHub
	scope string
	kind  scopeKind
	body  []byte
	cred  *credential
}

type scopeKind int

const (
	noScope scopeKind = iota
	organization
	repository
	enterprise
)

// answer is what a handler has to say. It is written after the lock is released: a slow reader must stop nobody else.
type answer struct {
	status int
	header http.Header
	body   any // nil: none
}

// plain is a body that goes out as text instead of JSON.
type plain string

type rootKey struct{}

// rootOf tells under which REST root a request came in.
func rootOf(r *http.Request) string {
	root, _ := r.Context().Value(rootKey{}).(string)
	return root
}

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func noContent() answer       { return answer{status: http.StatusNoContent} }

// refuse is an error in GitHub's shape.
func refuse(status int, message string) answer {
	return answer{status: status, body: map[string]string{
		"message": message, "documentation_url": docsURL, "status": strconv.Itoa(status),
	}}
}

func notFound() answer { return refuse(http.StatusNotFound, "Not Found") }

func invalid(format string, args ...any) answer {
	return refuse(http.StatusUnprocessableEntity, fmt.Sprintf(format, args...))
}

// apiHandler serves both REST roots, the runner's own protocol and the witness reports.
func (s *Server) apiHandler(wrap func(http.Handler) http.Handler) http.Handler {
	routes := s.routes()
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		root := rootGitHub
		if rest, found := strings.CutPrefix(path, ghesPrefix+"/"); found {
			root, path = rootGHES, "/"+rest
			r = withPath(r, ghesPrefix)
		}
		r = r.WithContext(context.WithValue(r.Context(), rootKey{}, root))
		s.limited(s.withFaults("api", path, routes)).ServeHTTP(w, r)
	})
	var h http.Handler = inner
	if wrap != nil {
		h = wrap(h)
	}
	outer := http.NewServeMux()
	outer.HandleFunc("POST "+witnessPath, s.takeWitness)
	outer.Handle("/", s.recorded(apiRoot, h))
	return outer
}

// withPath strips a prefix from the path as routed and as escaped.
func withPath(r *http.Request, prefix string) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Path = strings.TrimPrefix(r.URL.Path, prefix)
	out.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, prefix)
	return out
}

// apiRoot names the root of a request to the API host, and its path below that.
func apiRoot(r *http.Request) (root, path string) {
	path, root = r.URL.Path, rootGitHub
	if rest, found := strings.CutPrefix(path, ghesPrefix+"/"); found {
		path, root = "/"+rest, rootGHES
	}
	if isRunnerProtocol(path, r.Header.Get("Authorization")) {
		root = rootRunner
	}
	return root, path
}

// IsRunnerProtocol says whether a request to the API host belongs to the runner's own protocol, which GitHub's OpenAPI
// description does not cover.
func IsRunnerProtocol(r *http.Request) bool {
	root, _ := apiRoot(r)
	return root == rootRunner
}

// isRunnerProtocol tells the runner's own, undescribed protocol from the REST API.
func isRunnerProtocol(path, authorization string) bool {
	scheme, _, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(scheme, remoteAuth) || strings.HasPrefix(path, runnerPrefix+"/") ||
		path == registrationPath || path == registerPath
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.runnerRoutes(mux)
	scoped := func(method, suffix string, h func(*call) answer) {
		for kind, prefix := range scopePrefixes() {
			mux.HandleFunc(method+" "+prefix+suffix, s.handle(kind, s.asAdmin(h)))
		}
	}
	s.runnerOperations(scoped)
	s.appOperations(mux)
	s.otherOperations(mux)
	mux.HandleFunc("/", s.handle(noScope, unexpected))
	return mux
}

func unexpected(c *call) answer {
	c.s.problems = append(c.s.problems, fmt.Errorf("unexpected request: %s %s", c.Method, c.URL.Path))
	return notFound()
}

func scopePrefixes() map[scopeKind]string {
	return map[scopeKind]string{
		organization: "/orgs/{org}",
		repository:   "/repos/{owner}/{repo}",
		enterprise:   "/enterprises/{enterprise}",
	}
}

// scopePath is the scope a request is about, in normal form.
func scopePath(kind scopeKind, r *http.Request) string {
	switch kind {
	case organization:
		return normalScope(r.PathValue("org"))
	case repository:
		return normalScope(r.PathValue("owner") + "/" + r.PathValue("repo"))
	case enterprise:
		return normalScope("enterprises/" + r.PathValue("enterprise"))
	case noScope:
	}
	return ""
}

// handle reads the body, runs h under the lock and writes its answer after that.
func (s *Server) handle(kind scopeKind, h func(*call) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeAnswer(w, refuse(http.StatusBadRequest, "Problems reading the body: "+err.Error()))
			return
		}
		c := &call{Request: r, s: s, root: rootOf(r), scope: scopePath(kind, r), kind: kind, body: body}
		s.mu.Lock()
		s.reapSessions()
		a := h(c)
		s.restCalls++
		used := s.restCalls
		reset := s.now().Unix() + 3600
		s.mu.Unlock()
		if s.limits.tells() {
			writeAnswer(w, a)
			return
		}
		for name, n := range map[string]int64{
			"X-RateLimit-Limit": rateLimitMax, "X-RateLimit-Used": int64(used),
			"X-RateLimit-Remaining": int64(max(rateLimitMax-used, 0)), "X-RateLimit-Reset": reset,
		} {
			w.Header().Set(name, strconv.FormatInt(n, 10))
		}
		w.Header().Set("X-RateLimit-Resource", "core")
		writeAnswer(w, a)
	}
}

func writeAnswer(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	if text, isPlain := a.body.(plain); isPlain {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(text))
		return
	}
	raw, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	// The reader may be gone; there is nobody left to tell.
	_, _ = w.Write(raw)
}

// decode reads a JSON body, or says what to answer instead. An absent body decodes as an empty object.
func (c *call) decode(v any) *answer {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		a := refuse(http.StatusBadRequest, "Problems parsing JSON")
		return &a
	}
	return nil
}

// authorize finds the token of a request and whether it reaches the request's scope.
func (c *call) authorize() *answer {
	secret := bearer(c.Header.Get("Authorization"))
	if secret == "" {
		a := refuse(http.StatusUnauthorized, "Requires authentication")
		return &a
	}
	cred := c.s.credentials[secret]
	if cred == nil || (!cred.expires.IsZero() && c.s.now().After(cred.expires)) {
		a := refuse(http.StatusUnauthorized, "Bad credentials")
		return &a
	}
	c.cred = cred
	if c.kind != noScope && !cred.covers(c.scope) && (!cred.app || c.kind != enterprise) {
		a := notFound()
		return &a
	}
	return nil
}

// bearer takes the secret out of an Authorization header: Bearer and token carry it as it is, Basic as the password.
func bearer(header string) string {
	scheme, value, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return strings.TrimSpace(value)
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(raw), ":")
		return password
	}
	return ""
}

// asAdmin lets only those through who may administer the runners of the scope.
func (s *Server) asAdmin(h func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		if c.remote() {
			return c.asRemote(h)
		}
		if refused := c.authorize(); refused != nil {
			return *refused
		}
		switch {
		case c.cred.app && !c.appMayAdminister():
			return refuse(http.StatusForbidden, "Resource not accessible by integration")
		case c.cred.weak:
			return c.lacksScope()
		}
		return h(c)
	}
}

// lacksScope is what a classic token gets whose scopes do not reach: GitHub says the same of organizations, and tells
// what it has and what would do.
func (c *call) lacksScope() answer {
	a := refuse(http.StatusForbidden, "Must have admin rights to Repository.")
	needs := map[scopeKind]string{repository: "repo", organization: "admin:org", enterprise: "manage_runners:enterprise"}
	a.header = http.Header{}
	a.header.Set("X-OAuth-Scopes", "read:org, workflow")
	a.header.Set("X-Accepted-OAuth-Scopes", needs[c.kind])
	return a
}

// appMayAdminister knows which permission each kind of scope asks for. No App may touch an enterprise's runners.
func (c *call) appMayAdminister() bool {
	if c.kind == enterprise {
		return false
	}
	if c.cred.permissions == nil {
		return true
	}
	need := "administration"
	if c.kind == organization {
		need = "organization_self_hosted_runners"
	}
	level := c.cred.permissions[need]
	return level == "write" || (level == "read" && c.Method == http.MethodGet)
}
