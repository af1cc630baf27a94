package githubtest

import (
	"fmt"
	"net/http"
	"slices"
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

// latestRelease describes the newest version offered, with the digests between marks in its text as the runner's
// release workflow writes them.
func latestRelease(c *call) answer {
	listed := c.s.listedArchives()
	if normalScope(c.PathValue("owner")+"/"+c.PathValue("repo")) != "actions/runner" || len(listed) == 0 {
		return notFound()
	}
	newest := slices.MaxFunc(listed, func(a, b *Archive) int { return compareVersions(a.Version, b.Version) })
	origin := c.s.origin(c.Request)
	self := origin + "/repos/actions/runner/releases/1"
	var text strings.Builder
	assets := []map[string]any{}
	for i, a := range listed {
		if a.Version != newest.Version {
			continue
		}
		digest, told := c.s.digestOf(a)
		asset := c.assetJSON(a, fmt.Sprintf("%s/assets/%d", self, i+1), i+1)
		if told {
			fmt.Fprintf(&text, "- %s <!-- BEGIN SHA %s -->%s<!-- END SHA %s -->\n", a.Filename, a.Platform, digest, a.Platform)
			asset["digest"] = "sha256:" + digest
		}
		assets = append(assets, asset)
	}
	return ok(map[string]any{
		"url": self, "html_url": origin + "/actions/runner/releases/tag/v" + newest.Version, "assets_url": self + "/assets",
		"upload_url": self + "/assets{?name,label}", "tarball_url": nil, "zipball_url": nil, "id": 1, "node_id": "RE_1",
		"tag_name": "v" + newest.Version, "target_commitish": "main", "name": "v" + newest.Version, "draft": false,
		"prerelease": false, "created_at": epoch, "published_at": epoch, "author": c.userJSON("github-actions[bot]"),
		"assets": assets, "body": "## SHA-256 Checksums\n\n" + text.String(),
	})
}

func (c *call) assetJSON(a *Archive, self string, id int) map[string]any {
	return map[string]any{
		"url": self, "browser_download_url": c.s.archiveOrigin(c.Request) + releasePath(a), "id": id,
		"node_id": fmt.Sprintf("RA_%d", id), "name": a.Filename, "label": "", "state": "uploaded",
		"content_type": "application/x-gzip", "size": a.Size, "digest": nil, "download_count": 1,
		"created_at": epoch, "updated_at": epoch, "uploader": c.userJSON("github-actions[bot]"),
	}
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
