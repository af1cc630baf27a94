package githubtest_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

var theContract = sync.OnceValues(contract.New)

// start serves a simulated GitHub held to the contract, and fails the test over any problem it saw.
func start(t *testing.T, cfg githubtest.Config) *githubtest.Server {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	var s *githubtest.Server
	cfg.Wrap = func(next http.Handler) http.Handler { return c.Wrap(next, func(err error) { s.Report(err) }) }
	if s, err = githubtest.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, p := range s.Problems() {
			t.Errorf("problem: %v", p)
		}
	})
	return s
}

func small(t *testing.T, platform, version string) *githubtest.Archive {
	t.Helper()
	a, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// api is a plain client for one root of a server.
type api struct {
	t     *testing.T
	root  string
	token string
}

type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a api) do(method, path string, body any) reply {
	a.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.root+path, in)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "githubtest")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header}
	if out.raw, err = io.ReadAll(resp.Body); err != nil {
		a.t.Fatal(err)
	}
	// Lists and empty answers are looked at as they are.
	_ = json.Unmarshal(out.raw, &out.body)
	if resp.Header.Get("X-GitHub-Request-Id") == "" {
		a.t.Errorf("%s %s: no request id", method, path)
	}
	return out
}

func (a api) want(status int, method, path string, body any) reply {
	a.t.Helper()
	r := a.do(method, path, body)
	if r.status != status {
		a.t.Errorf("%s %s: status %d instead of %d: %s", method, path, r.status, status, r.raw)
	}
	return r
}

func (r reply) id() int64 {
	n, _ := r.body["id"].(float64)
	return int64(n)
}

func (r reply) labels() []string {
	var out []string
	list, _ := r.body["labels"].([]any)
	for _, l := range list {
		m, _ := l.(map[string]any)
		out = append(out, fmt.Sprint(m["name"]))
	}
	return out
}

type scopeCase struct{ name, scope, prefix string }

func scopes() []scopeCase {
	return []scopeCase{
		{"organization", "octo-org", "/orgs/octo-org"},
		{"repository", "octo-org/hello", "/repos/octo-org/hello"},
		{"enterprise", "enterprises/octo", "/enterprises/octo"},
	}
}

// TestEveryOperation drives all runner operations of both roots and all scopes; the contract looks on.
func TestEveryOperation(t *testing.T) {
	for _, root := range []string{"github", "ghes"} {
		for _, sc := range scopes() {
			t.Run(root+"/"+sc.name, func(t *testing.T) {
				t.Parallel()
				s := start(t, githubtest.Config{Archive: small(t, "linux-x64", "2.337.0")})
				a := api{t: t, root: s.APIURL(), token: s.Token()}
				if root == "ghes" {
					a.root = s.URL() + "/api/v3"
				}
				lifeOfRunner(t, s, a, sc)
				tokensAndDownloads(t, s, a, sc, root)
				for _, r := range s.Requests() {
					if r.Root != root || r.Status == 0 || r.CarriedSecret {
						t.Errorf("recorded %+v", r)
					}
				}
			})
		}
	}
}

// A group says who may use it, and a list can be narrowed to those that a repository may use.
func TestGroupRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rules      githubtest.GroupRules
		visibility string
		visible    bool
	}{
		{githubtest.GroupRules{}, "all", true},
		{githubtest.GroupRules{NoPublic: true, Restricted: true, Workflows: []string{"w"}}, "all", true},
		{githubtest.GroupRules{Repositories: []string{"hello"}}, "selected", true},
		{githubtest.GroupRules{Repositories: []string{}}, "selected", false},
	} {
		s := start(t, githubtest.Config{})
		s.AddGroup("octo-org", "big")
		s.SetGroup("octo-org", "big", c.rules)
		a := api{t: t, root: s.URL() + "/api/v3", token: s.Token()}
		all := a.want(200, "GET", "/orgs/octo-org/actions/runner-groups", nil).body["runner_groups"].([]any)
		big := all[1].(map[string]any)
		if big["visibility"] != c.visibility || big["allows_public_repositories"] == c.rules.NoPublic || big["restricted_to_workflows"] != c.rules.Restricted ||
			len(big["selected_workflows"].([]any)) != len(c.rules.Workflows) {
			t.Errorf("%+v: %v", c.rules, big)
		}
		seen := a.want(200, "GET", "/orgs/octo-org/actions/runner-groups?visible_to_repository=hello", nil).body["total_count"]
		if want := map[bool]float64{true: 2, false: 1}[c.visible]; seen != want {
			t.Errorf("%+v: hello sees %v groups, want %v", c.rules, seen, want)
		}
	}
}

func lifeOfRunner(t *testing.T, s *githubtest.Server, a api, sc scopeCase) {
	t.Helper()
	runners := sc.prefix + "/actions/runners"
	group := s.AddGroup(sc.scope, "big")
	jit := map[string]any{"name": "one", "runner_group_id": group, "labels": []string{"self-hosted", "GPU"}}
	made := a.want(201, "POST", runners+"/generate-jitconfig", jit)
	raw, err := base64.StdEncoding.DecodeString(fmt.Sprint(made.body["encoded_jit_config"]))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string][]byte
	if err := json.Unmarshal(raw, &files); err != nil || !bytes.Contains(files[".runner"], []byte(`"AgentName":"one"`)) {
		t.Errorf("JIT configuration %s: %v", raw, err)
	}
	a.want(409, "POST", runners+"/generate-jitconfig", jit)
	jit["name"], jit["runner_group_id"] = "two", 99
	a.want(404, "POST", runners+"/generate-jitconfig", jit)

	listed := a.want(200, "GET", runners+"?name=ONE&per_page=100&page=1", nil)
	if listed.body["total_count"] != 1.0 {
		t.Errorf("listed %s", listed.raw)
	}
	id := s.Runners(sc.scope)[0].ID
	one := fmt.Sprintf("%s/%d", runners, id)
	if got := a.want(200, "GET", one, nil); got.id() != id || got.body["version"] != nil || got.body["status"] != "offline" {
		t.Errorf("got %s", got.raw)
	}
	wantLabels(t, a.want(200, "GET", one+"/labels", nil), "self-hosted", "gpu")
	wantLabels(t, a.want(200, "POST", one+"/labels", map[string]any{"labels": []string{"Gpu", "a/b"}}),
		"self-hosted", "gpu", "a/b")
	wantLabels(t, a.want(200, "DELETE", one+"/labels/a%2Fb", nil), "self-hosted", "gpu")
	a.want(404, "DELETE", one+"/labels/a%2Fb", nil)
	a.want(422, "DELETE", one+"/labels/self-hosted", nil)
	wantLabels(t, a.want(200, "PUT", one+"/labels", map[string]any{"labels": []string{"x"}}), "self-hosted", "x")
	wantLabels(t, a.want(200, "PUT", one+"/labels", map[string]any{"labels": []string{}}), "self-hosted")
	wantLabels(t, a.want(200, "DELETE", one+"/labels", nil), "self-hosted")
	a.want(204, "DELETE", one, nil)
	a.want(404, "DELETE", one, nil)
	a.want(404, "GET", one, nil)

	busy := s.AddRunner(sc.scope, githubtest.Runner{Name: "busy", Status: "online", Busy: true})
	refused := a.want(422, "DELETE", fmt.Sprintf("%s/%d", runners, busy.ID), nil)
	if !strings.Contains(fmt.Sprint(refused.body["message"]), "currently running a job") {
		t.Errorf("refused with %s", refused.raw)
	}
	if !s.DeleteRunner(busy.ID) || s.DeleteRunner(busy.ID) {
		t.Error("a runner is deleted once")
	}
}

func wantLabels(t *testing.T, r reply, want ...string) {
	t.Helper()
	if got := r.labels(); !slices.Equal(got, want) || r.body["total_count"] != float64(len(want)) {
		t.Errorf("labels %q instead of %q: %s", got, want, r.raw)
	}
}

func tokensAndDownloads(t *testing.T, s *githubtest.Server, a api, sc scopeCase, root string) {
	t.Helper()
	runners := sc.prefix + "/actions/runners"
	for _, kind := range []string{"registration-token", "remove-token"} {
		r := a.want(201, "POST", runners+"/"+kind, nil)
		expires, err := time.Parse(time.RFC3339, fmt.Sprint(r.body["expires_at"]))
		if err != nil || time.Until(expires) > time.Hour || time.Until(expires) < 59*time.Minute {
			t.Errorf("%s expires at %v: %v", kind, expires, err)
		}
		if !slices.Contains(s.Secrets(), fmt.Sprint(r.body["token"])) {
			t.Errorf("%s is not among the secrets", kind)
		}
	}
	var list []map[string]string
	if err := json.Unmarshal(a.want(200, "GET", runners+"/downloads", nil).raw, &list); err != nil || len(list) != 1 {
		t.Fatalf("downloads %v: %v", list, err)
	}
	if list[0]["os"] != "linux" || list[0]["architecture"] != "x64" || list[0]["sha256_checksum"] == "" {
		t.Errorf("downloads %v", list)
	}
	if (root == "ghes") != (list[0]["temp_download_token"] != "") {
		t.Errorf("download token on %s: %v", root, list)
	}
	schedule := 200
	if root == "ghes" {
		schedule = 404
	}
	a.want(schedule, "GET", runners+"/deprecations/2.300.0", nil)
	if sc.name != "repository" {
		r := a.want(200, "GET", sc.prefix+"/actions/runner-groups?per_page=1", nil)
		if r.body["total_count"] != 2.0 || !strings.Contains(r.header.Get("Link"), `rel="next"`) {
			t.Errorf("groups %s, Link %q", r.raw, r.header.Get("Link"))
		}
		a.want(200, "GET", sc.prefix+"/actions/runner-groups/1", nil)
		a.want(404, "GET", sc.prefix+"/actions/runner-groups/77", nil)
	}
	release := a.want(200, "GET", "/repos/actions/runner/releases/latest", nil)
	mark := "<!-- BEGIN SHA linux-x64 -->" + list[0]["sha256_checksum"] + "<!-- END SHA linux-x64 -->"
	if !strings.Contains(fmt.Sprint(release.body["body"]), mark) || release.body["tag_name"] != "v2.337.0" {
		t.Errorf("release %s", release.raw)
	}
	a.want(200, "GET", "/rate_limit", nil)
	a.want(200, "GET", "/meta", nil)
}

func TestPaging(t *testing.T) {
	s := start(t, githubtest.Config{})
	for i := range 7 {
		s.AddRunner("octo-org", githubtest.Runner{Name: fmt.Sprintf("r%d", i)})
	}
	s.AddRunner("octo-org/hello", githubtest.Runner{Name: "other"})
	a := api{t: t, root: s.URL() + "/api/v3", token: s.Token()}
	for _, tc := range []struct {
		name, query string
		count       int
		rels        []string
	}{
		{"first", "?per_page=3", 3, []string{"next", "last"}},
		{"middle", "?per_page=3&page=2", 3, []string{"prev", "first", "next", "last"}},
		{"last", "?per_page=3&page=3", 1, []string{"prev", "first"}},
		{"beyond", "?per_page=3&page=9", 0, []string{"prev", "first"}},
		{"all", "", 7, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := a.want(200, "GET", "/orgs/octo-org/actions/runners"+tc.query, nil)
			list, _ := r.body["runners"].([]any)
			if len(list) != tc.count || r.body["total_count"] != 7.0 {
				t.Errorf("%d of %v", len(list), r.body["total_count"])
			}
			for _, rel := range []string{"prev", "first", "next", "last"} {
				has := strings.Contains(r.header.Get("Link"), `rel="`+rel+`"`)
				if has != slices.Contains(tc.rels, rel) {
					t.Errorf("Link %q, rel %s", r.header.Get("Link"), rel)
				}
			}
			if strings.Contains(r.header.Get("Link"), "//127") && !strings.Contains(r.header.Get("Link"), s.URL()+"/api/v3/orgs") {
				t.Errorf("Link %q leaves the root", r.header.Get("Link"))
			}
		})
	}
}

func TestInvalidRequestsAreRefused(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, tc := range []struct {
		name string
		body map[string]any
		// legal bodies are refused for what they say; the others for their form, which the contract sees first.
		legal bool
	}{
		{"name too long", map[string]any{"name": long, "runner_group_id": 1, "labels": []string{"a"}}, true},
		{"empty label", map[string]any{"name": "a", "runner_group_id": 1, "labels": []string{""}}, true},
		{"no group", map[string]any{"name": "a", "labels": []string{"a"}}, false},
		{"no labels", map[string]any{"name": "a", "runner_group_id": 1, "labels": []string{}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := githubtest.Start(githubtest.Config{})
			if tc.legal {
				s, err = start(t, githubtest.Config{}), nil
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a := api{t: t, root: s.APIURL(), token: s.Token()}
			r := a.want(422, "POST", "/orgs/octo-org/actions/runners/generate-jitconfig", tc.body)
			if r.body["message"] == "" || r.body["documentation_url"] == "" || r.body["status"] != "422" {
				t.Errorf("not GitHub's shape: %s", r.raw)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	s := start(t, githubtest.Config{})
	const path = "/repos/octo-org/hello/actions/runners"
	revoked := s.AddToken("octo-org/hello")
	s.RevokeToken(revoked)
	for _, tc := range []struct {
		name, token string
		status      int
	}{
		{"everything", s.Token(), 200},
		{"this scope", s.AddToken("Octo-Org/hello"), 200},
		{"another scope", s.AddToken("octo-org"), 404},
		{"too weak", s.AddWeakToken("octo-org/hello"), 403},
		{"unknown", "ghp_nobody", 401},
		{"revoked", revoked, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api{t: t, root: s.APIURL(), token: tc.token}.want(tc.status, "GET", path, nil)
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.APIURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("github", s.Token())
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "githubtest")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("basic authentication: %d", resp.StatusCode)
	}
}

func appJWT(t *testing.T, key *rsa.PrivateKey, issuer string, issued, expires time.Time) string {
	t.Helper()
	enc := base64.RawURLEncoding
	claims := fmt.Sprintf(`{"iss":%q,"iat":%d,"exp":%d}`, issuer, issued.Unix(), expires.Unix())
	signed := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + enc.EncodeToString(sig)
}

func TestApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, githubtest.Config{})
	s.AddApp("Iv23liSimulated", &key.PublicKey, "octo-org", "octo-org/hello", "enterprises/octo")
	now := time.Now()
	good := appJWT(t, key, "Iv23liSimulated", now.Add(-30*time.Second), now.Add(9*time.Minute))
	a := api{t: t, root: s.APIURL(), token: good}
	a.want(200, "GET", "/app", nil)
	a.want(200, "GET", "/app/installations", nil)
	a.want(404, "GET", "/orgs/nobody/installation", nil)
	var id int64
	for _, sc := range scopes() {
		id = a.want(200, "GET", sc.prefix+"/installation", nil).id()
		tokens := fmt.Sprintf("/app/installations/%d/access_tokens", id)
		made := a.want(201, "POST", tokens, nil)
		token := fmt.Sprint(made.body["token"])
		if !strings.HasPrefix(token, "ghs_") || len(token) < 60 || !strings.Contains(token, ".") {
			t.Errorf("token %q is not of today's form", token)
		}
		use := api{t: t, root: s.APIURL(), token: token}
		status := 200
		if sc.name == "enterprise" {
			status = 403 // no App may touch an enterprise's runners
		}
		use.want(status, "GET", sc.prefix+"/actions/runners", nil)
		use.want(404, "GET", "/orgs/nobody/actions/runners", nil)
	}
	org := a.want(200, "GET", "/orgs/octo-org/installation", nil).id()
	weak := a.want(201, "POST", fmt.Sprintf("/app/installations/%d/access_tokens", org),
		map[string]any{"permissions": map[string]string{"contents": "read"}})
	api{t: t, root: s.APIURL(), token: fmt.Sprint(weak.body["token"])}.
		want(403, "GET", "/orgs/octo-org/actions/runners", nil)
	a.want(404, "POST", "/app/installations/9999/access_tokens", nil)

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"wrong key":      appJWT(t, other, "Iv23liSimulated", now, now.Add(time.Minute)),
		"unknown app":    appJWT(t, key, "1", now, now.Add(time.Minute)),
		"expired":        appJWT(t, key, "Iv23liSimulated", now.Add(-time.Hour), now.Add(-time.Minute)),
		"too long":       appJWT(t, key, "Iv23liSimulated", now, now.Add(time.Hour)),
		"from tomorrow":  appJWT(t, key, "Iv23liSimulated", now.Add(24*time.Hour), now.Add(9*time.Minute)),
		"personal token": s.Token(),
	} {
		t.Run(name, func(t *testing.T) {
			api{t: t, root: s.APIURL(), token: token}.want(401, "GET", "/app", nil)
		})
	}
}

func TestInstallationTokensExpire(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, githubtest.Config{})
	s.AddApp("12345", &key.PublicKey, "octo-org")
	now := time.Now()
	a := api{t: t, root: s.APIURL(), token: appJWT(t, key, "12345", now, now.Add(time.Minute))}
	id := a.want(200, "GET", "/orgs/octo-org/installation", nil).id()
	made := a.want(201, "POST", fmt.Sprintf("/app/installations/%d/access_tokens", id), nil)
	use := api{t: t, root: s.APIURL(), token: fmt.Sprint(made.body["token"])}
	use.want(200, "GET", "/orgs/octo-org/actions/runners", nil)
	s.Advance(61 * time.Minute)
	use.want(401, "GET", "/orgs/octo-org/actions/runners", nil)
}
