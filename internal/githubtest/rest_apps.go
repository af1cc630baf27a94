package githubtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxAppTokenLife      = 10 * time.Minute
	clockTolerance       = time.Minute
	installationLifetime = time.Hour
)

// app is a GitHub App with its installations, one per account.
type app struct {
	id            string // numeric or client id
	number        int64
	key           *rsa.PublicKey
	installations []*installation
}

type installation struct {
	id      int64
	account string // "octo-org" or "enterprises/octo"
	scopes  []string
}

// AddApp registers a GitHub App, by its numeric id or its client id, installed on the accounts of these scopes. Its
// installation tokens reach exactly the scopes named.
func (s appStore) AddApp(id string, key *rsa.PublicKey, scopePaths ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		number = s.nextID()
	}
	a := &app{id: id, number: number, key: key}
	for _, p := range scopePaths {
		scope := normalScope(p)
		in := a.on(accountOf(scope))
		if in == nil {
			in = &installation{id: s.nextID(), account: accountOf(scope)}
			a.installations = append(a.installations, in)
		}
		in.scopes = append(in.scopes, scope)
	}
	s.apps = append(s.apps, a)
}

func accountOf(scope string) string {
	if strings.HasPrefix(scope, "enterprises/") {
		return scope
	}
	owner, _, _ := strings.Cut(scope, "/")
	return owner
}

func (a *app) on(account string) *installation {
	for _, in := range a.installations {
		if in.account == account {
			return in
		}
	}
	return nil
}

func (s appStore) appOperations(mux *http.ServeMux) {
	handle := func(pattern string, kind scopeKind, h func(*call, *app) answer) {
		mux.HandleFunc(pattern, s.handle(kind, asApp(h)))
	}
	handle("GET /app", noScope, func(c *call, a *app) answer { return ok(c.appJSON(a)) })
	handle("GET /app/installations", noScope, listInstallations)
	handle("POST /app/installations/{id}/access_tokens", noScope, createAccessToken)
	for kind, prefix := range scopePrefixes() {
		handle("GET "+prefix+"/installation", kind, findInstallation)
	}
}

// asApp lets only a GitHub App through that signed its own token.
func asApp(h func(*call, *app) answer) func(*call) answer {
	return func(c *call) answer {
		a, problem := c.s.appOf(bearer(c.Header.Get("Authorization")))
		if problem != "" {
			return refuse(http.StatusUnauthorized, problem)
		}
		return h(c, a)
	}
}

type appClaims struct {
	Issuer  any   `json:"iss"`
	Issued  int64 `json:"iat"`
	Expires int64 `json:"exp"`
}

// appOf verifies a JSON web token as GitHub does, against the real clock: the skew of Advance is the server's affair.
func (s appStore) appOf(token string) (*app, string) {
	const undecodable = "A JSON web token could not be decoded"
	var claims appClaims
	signed, signature, err := splitJWT(token, "RS256", &claims)
	if err != nil {
		return nil, undecodable
	}
	issuer := strings.TrimSpace(fmt.Sprint(claims.Issuer))
	if n, isNumber := claims.Issuer.(float64); isNumber {
		issuer = strconv.FormatFloat(n, 'f', -1, 64)
	}
	at := slices.IndexFunc(s.apps, func(a *app) bool { return a.id == issuer })
	if at < 0 {
		return nil, "Integration not found"
	}
	digest := sha256.Sum256([]byte(signed))
	if rsa.VerifyPKCS1v15(s.apps[at].key, crypto.SHA256, digest[:], signature) != nil {
		return nil, undecodable
	}
	now := time.Now()
	issued, expires := time.Unix(claims.Issued, 0), time.Unix(claims.Expires, 0)
	switch {
	case issued.After(now.Add(clockTolerance)):
		return nil, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case expires.Before(now):
		return nil, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which " +
			"the assertion expires"
	case expires.After(now.Add(maxAppTokenLife + time.Second)):
		return nil, "'Expiration time' claim ('exp') is too far in the future"
	}
	s.remember(token)
	return s.apps[at], ""
}

// splitJWT decodes the claims of a token and returns what was signed and with what.
func splitJWT(token, algorithm string, claims any) (signed string, signature []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil, fmt.Errorf("reading a web token: %d parts instead of 3", len(parts))
	}
	var raw [3][]byte
	for i, p := range parts {
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return "", nil, fmt.Errorf("reading a web token: %w", err)
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return "", nil, fmt.Errorf("reading the header of a web token: %w", err)
	}
	if header.Algorithm != algorithm {
		return "", nil, fmt.Errorf("reading a web token: it is signed by %q, not %s", header.Algorithm, algorithm)
	}
	if err := json.Unmarshal(raw[1], claims); err != nil {
		return "", nil, fmt.Errorf("reading the claims of a web token: %w", err)
	}
	return parts[0] + "." + parts[1], raw[2], nil
}

func listInstallations(c *call, a *app) answer {
	all := []map[string]any{}
	for _, in := range a.installations {
		all = append(all, c.installationJSON(a, in))
	}
	part, header := page(c, all)
	return answer{status: http.StatusOK, header: header, body: part}
}

func findInstallation(c *call, a *app) answer {
	in := a.on(accountOf(c.scope))
	if in == nil || (c.kind == enterprise && c.root == rootGHES) {
		return notFound()
	}
	if c.kind == repository && !slices.Contains(in.scopes, c.scope) && !slices.Contains(in.scopes, in.account) {
		return notFound()
	}
	return ok(c.installationJSON(a, in))
}

func createAccessToken(c *call, a *app) answer {
	at := slices.IndexFunc(a.installations, func(in *installation) bool {
		return strconv.FormatInt(in.id, 10) == c.PathValue("id")
	})
	if at < 0 {
		return notFound()
	}
	var req struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
	}
	if bad := c.decode(&req); bad != nil {
		return *bad
	}
	in := a.installations[at]
	scopes := in.scopes
	if req.Repositories != nil {
		scopes = nil
		for _, repo := range req.Repositories {
			scope := normalScope(in.account + "/" + repo)
			if !slices.Contains(in.scopes, scope) {
				return invalid("There is at least one repository that does not exist or is not accessible to the " +
					"parent installation.")
			}
			scopes = append(scopes, scope)
		}
		if slices.Contains(in.scopes, in.account) {
			scopes = append(scopes, in.account)
		}
	}
	claims := fmt.Sprintf(`{"iss":"github.com","exp":%d}`, c.s.now().Add(installationLifetime).Unix())
	cred := &credential{
		secret: fmt.Sprintf("ghs_%d_%s", a.number, newJWTLike(claims)),
		scopes: scopes, app: true, permissions: req.Permissions, expires: c.s.now().Add(installationLifetime),
	}
	granted := req.Permissions
	if granted == nil {
		granted = appPermissions()
	}
	return created(map[string]any{
		"token": c.s.addCredential(cred), "expires_at": cred.expires.UTC().Format(time.RFC3339),
		"permissions": granted, "repository_selection": "all",
	})
}

func appPermissions() map[string]string {
	return map[string]string{"administration": "write", "organization_self_hosted_runners": "write", "metadata": "read"}
}
