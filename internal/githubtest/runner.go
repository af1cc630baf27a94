package githubtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	remoteAuth       = "RemoteAuth"
	purposeRegister  = "register"
	purposeRemove    = "remove"
	registrationPath = "/actions/runner-registration"
	registerPath     = "/actions/runners/register"
	oauthPath        = runnerPrefix + "/oauth/token"
	brokerPath       = runnerPrefix + "/broker/"
	runPath          = runnerPrefix + "/run"

	accessTokenLife = time.Hour
)

// runnerRoutes are the runner's own protocol: registration, sessions, messages and jobs.
func (s *Server) runnerRoutes(mux *http.ServeMux) {
	on := func(pattern string, h func(*call) answer) { mux.HandleFunc(pattern, s.handle(noScope, h)) }
	on("POST "+registrationPath, beginRegistration)
	on("POST "+registerPath, registerRunner)
	on("POST "+oauthPath, grantAccess)
	on("POST "+brokerPath+"session", asRunner(openSession))
	on("DELETE "+brokerPath+"session", asRunner(closeSession))
	on("POST "+brokerPath+"acknowledge", asRunner(func(*call, *record) answer { return ok(map[string]any{}) }))
	on("POST "+runPath+"/acquirejob", asRunner(acquireJob))
	on("POST "+runPath+"/renewjob", asRunner(renewJob))
	on("POST "+runPath+"/completejob", asRunner(completeJob))
	mux.HandleFunc("GET "+brokerPath+"message", s.poll)
}

// joinTokenOf is the registration or remove token a configuring runner sent, if it is good for the scope.
func (c *call) joinTokenOf(scope, purpose string) bool {
	_, secret, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	t := c.s.joinTokens[strings.TrimSpace(secret)]
	return c.remote() && t != nil && t.scope == scope && t.purpose == purpose && !c.s.now().After(t.expires)
}

// asRemote lets a configuring runner look up groups and names with its registration token, and delete itself with its
// remove token. GitHub answers 404 to everything else.
func (c *call) asRemote(h func(*call) answer) answer {
	purpose := purposeRegister
	if c.Method == http.MethodDelete {
		purpose = purposeRemove
	}
	if !c.joinTokenOf(c.scope, purpose) {
		return notFound()
	}
	return h(c)
}

// runnerVersion finds the version in the User-Agent of a runner.
func runnerVersion(userAgent string) string {
	m := regexp.MustCompile(`GitHubActionsRunner-[a-z0-9-]+/([0-9.]+)`).FindStringSubmatch(userAgent)
	if m == nil {
		return ""
	}
	return m[1]
}

// outOfDate has the status of a bad token; only the text tells the two apart.
func (c *call) outOfDate(version string) *answer {
	if version == "" || !olderThan(version, c.s.minVersion) {
		return nil
	}
	text := "ERROR: Your runner version is out of date and can no longer register with GitHub. " +
		"The minimum runner version required is " + c.s.minVersion + ". Please download the latest version."
	return &answer{status: http.StatusNotFound, body: plain(text)}
}

func beginRegistration(c *call) answer {
	var req struct {
		URL   string `json:"url"`
		Event string `json:"runner_event"`
	}
	if bad := c.decode(&req); bad != nil {
		return *bad
	}
	if old := c.outOfDate(runnerVersion(c.UserAgent())); old != nil {
		return *old
	}
	if !c.joinTokenOf(scopeOfURL(req.URL), req.Event) {
		return notFound()
	}
	return ok(map[string]any{
		"url": c.s.origin(c.Request) + runnerPrefix + "/tenant/", "token_schema": "OAuthAccessToken",
		"token": c.s.remember(newJWTLike(`{"scp":"registration"}`)), "use_v2_flow": true,
	})
}

// scopeOfURL is the scope a web address names: the part after the host.
func scopeOfURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return normalScope(u.Path)
}

type registerRequest struct {
	URL      string `json:"url"`
	GroupID  int64  `json:"group_id"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Updates  bool   `json:"updates_disabled"`
	Once     bool   `json:"ephemeral"`
	Key      string `json:"public_key"`
	RunnerID int64  `json:"runner_id"`
	Replace  bool   `json:"replace"`
	Labels   []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"labels"`
}

func registerRunner(c *call) answer {
	var req registerRequest
	if bad := c.decode(&req); bad != nil {
		return *bad
	}
	if old := c.outOfDate(req.Version); old != nil {
		return *old
	}
	scope := scopeOfURL(req.URL)
	if !c.joinTokenOf(scope, purposeRegister) {
		return notFound()
	}
	key, err := parseKey(req.Key)
	if err != nil {
		return refuse(http.StatusBadRequest, err.Error())
	}
	r := c.s.runnerNamed(scope, req.Name)
	switch {
	case r == nil:
		r = &record{Runner: Runner{ID: c.s.nextID(), Name: req.Name, Scope: scope, GroupID: max(req.GroupID, 1)}}
		c.s.runners = append(c.s.runners, r)
	case !req.Replace || req.RunnerID != r.ID:
		return refuse(http.StatusConflict, "Already exists - A runner with the name "+req.Name+" already exists.")
	default:
		// A replaced runner keeps its id and its group.
		c.s.endSession(r)
		r.fixed = false
	}
	r.clientID, r.key, r.Ephemeral, r.UpdatesDisabled = newGUID(), key, req.Once, req.Updates
	r.Labels, r.OS = nil, "unknown"
	for _, l := range req.Labels {
		kind := custom
		if l.Type == "system" {
			kind = readOnly
		}
		if os := strings.ToLower(l.Name); os == "linux" || os == "macos" || os == "windows" {
			r.OS = os
		}
		r.Labels = c.s.labelled(r.Labels, []string{l.Name}, kind)
	}
	r.Labels = c.s.kept(r.Labels)
	c.s.notify()
	origin := c.s.origin(c.Request)
	return ok(map[string]any{
		"id": r.ID, "name": r.Name,
		"authorization": map[string]string{
			"authorization_url": origin + oauthPath, "server_url": origin + brokerPath, "client_id": r.clientID,
		},
	})
}

// parseKey reads the XML form in which .NET writes a public key.
func parseKey(text string) (*rsa.PublicKey, error) {
	var doc struct {
		Modulus  string `xml:"Modulus"`
		Exponent string `xml:"Exponent"`
	}
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	n, err := base64.StdEncoding.DecodeString(doc.Modulus)
	if err != nil {
		return nil, fmt.Errorf("reading the modulus of the public key: %w", err)
	}
	e, err := base64.StdEncoding.DecodeString(doc.Exponent)
	if err != nil {
		return nil, fmt.Errorf("reading the exponent of the public key: %w", err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// privateParams writes a key with the field names the runner keeps it under.
func privateParams(key *rsa.PrivateKey) map[string]string {
	size := key.Size()
	enc := func(n *big.Int, bytes int) string {
		return base64.StdEncoding.EncodeToString(n.FillBytes(make([]byte, bytes)))
	}
	return map[string]string{
		"modulus": enc(key.N, size), "exponent": base64.StdEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		"d": enc(key.D, size), "p": enc(key.Primes[0], size/2), "q": enc(key.Primes[1], size/2),
		"dp": enc(key.Precomputed.Dp, size/2), "dq": enc(key.Precomputed.Dq, size/2),
		"inverseQ": enc(key.Precomputed.Qinv, size/2),
	}
}

// grantAccess exchanges the assertion a runner signed with its key for an access token.
func grantAccess(c *call) answer {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return oauthError("invalid_request", err.Error())
	}
	var claims struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}
	signed, signature, err := splitJWT(form.Get("client_assertion"), "PS256", &claims)
	if err != nil {
		return oauthError("invalid_request", err.Error())
	}
	var r *record
	for _, candidate := range c.s.runners {
		if candidate.clientID != "" && candidate.clientID == claims.Subject {
			r = candidate
		}
	}
	if r == nil {
		return oauthError("invalid_client", "Registration "+strconv.Quote(claims.Subject)+" was not found.")
	}
	digest := sha256.Sum256([]byte(signed))
	if rsa.VerifyPSS(r.key, crypto.SHA256, digest[:], signature, nil) != nil || claims.Expires < time.Now().Unix() {
		return oauthError("invalid_client", "The assertion is not signed by the runner's key, or has expired.")
	}
	token := c.s.remember(newJWTLike(fmt.Sprintf(`{"sub":%q,"nonce":%q}`, r.clientID, newGUID())))
	c.s.accessTokens[token] = r.ID
	return ok(map[string]any{
		"access_token": token, "token_type": "bearer", "expires_in": int(accessTokenLife.Seconds()),
	})
}

func oauthError(kind, text string) answer {
	return answer{status: http.StatusBadRequest, body: map[string]string{"error": kind, "error_description": text}}
}
