package githubtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const epoch = "2026-01-01T00:00:00Z"

// otherOperations are those that anybody may ask.
func (s *Server) otherOperations(mux *http.ServeMux) {
	public := func(pattern string, h func(*call) answer) {
		mux.HandleFunc(pattern, s.handle(noScope, func(c *call) answer {
			if c.Header.Get("Authorization") != "" {
				if refused := c.authorize(); refused != nil {
					return *refused
				}
			}
			return h(c)
		}))
	}
	public("GET /repos/{owner}/{repo}/releases/latest", latestRelease)
	public("GET /repos/{owner}/{repo}/releases/tags/{tag}", releaseByTag)
	public("GET /rate_limit", rateLimit)
	public("GET /meta", meta)
}

func rateLimit(c *call) answer {
	reset := c.s.now().Add(time.Hour).Unix()
	limit := func(n, used int) map[string]any {
		return map[string]any{"limit": n, "used": used, "remaining": max(n-used, 0), "reset": reset}
	}
	core := limit(rateLimitMax, c.s.restCalls)
	return ok(map[string]any{
		"resources": map[string]any{
			"core": core, "search": limit(30, 0), "actions_runner_registration": limit(10000, 0),
		},
		"rate": core,
	})
}

func meta(c *call) answer {
	out := map[string]any{"verifiable_password_authentication": false}
	if c.root == rootGHES {
		out["installed_version"] = "3.19.0"
		return ok(out)
	}
	out["domains"] = map[string]any{"actions_inbound": map[string]any{
		"full_domains":     []string{"github.com", "api.github.com"},
		"wildcard_domains": []string{"*.actions.githubusercontent.com"},
	}}
	return ok(out)
}

func (c *call) userJSON(login string) map[string]any {
	self := c.s.origin(c.Request) + "/users/" + strings.ReplaceAll(login, "/", "-")
	out := map[string]any{
		"login": login, "id": 1, "node_id": "U_1", "gravatar_id": "", "type": "User", "site_admin": false,
		"avatar_url": self + "/avatar", "url": self, "html_url": self, "gists_url": self + "/gists{/gist_id}",
		"following_url": self + "/following{/other_user}", "starred_url": self + "/starred{/owner}{/repo}",
		"events_url": self + "/events{/privacy}",
	}
	for _, part := range []string{"followers", "subscriptions", "organizations", "repos", "received_events"} {
		out[part+"_url"] = self + "/" + part
	}
	return out
}

func (c *call) appJSON(a *app) map[string]any {
	self := c.s.origin(c.Request) + "/apps/simulated"
	return map[string]any{
		"id": a.number, "slug": "simulated", "client_id": a.id, "node_id": "A_1", "owner": c.userJSON("octocat"),
		"name": "Simulated", "description": "", "external_url": self, "html_url": self, "created_at": epoch,
		"updated_at": epoch, "permissions": appPermissions(), "events": []string{},
	}
}

func (c *call) installationJSON(a *app, in *installation) map[string]any {
	self := fmt.Sprintf("%s/app/installations/%d", c.s.origin(c.Request), in.id)
	slug, isEnterprise := strings.CutPrefix(in.account, "enterprises/")
	kind := "Organization"
	if isEnterprise {
		kind = "Enterprise"
	}
	// The description asks a listed account to be a user and an enterprise at once, so it gets the fields of both.
	account := c.userJSON(slug)
	for name, value := range map[string]any{
		"type": kind, "name": slug, "slug": slug, "created_at": epoch, "updated_at": epoch,
	} {
		account[name] = value
	}
	return map[string]any{
		"id": in.id, "account": account, "repository_selection": "all", "access_tokens_url": self + "/access_tokens",
		"repositories_url": self + "/repositories", "html_url": self, "app_id": a.number, "target_id": 1,
		"target_type": kind, "permissions": appPermissions(), "events": []string{}, "created_at": epoch,
		"updated_at": epoch, "single_file_name": nil, "app_slug": "simulated", "suspended_by": nil,
		"suspended_at": nil,
	}
}

// remote says whether the caller is a runner that configures itself, with its registration or remove token.
func (c *call) remote() bool {
	scheme, _, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, remoteAuth)
}
