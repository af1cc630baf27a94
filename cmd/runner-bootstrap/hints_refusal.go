package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sudoers"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// What can be done about a refusal of GitHub's. Its own sentence decides: a
// command is offered where one helps, and otherwise it is said who has to change
// what.

// refusedBy is the refusal of GitHub's in an error; nil if there is none.
func refusedBy(err error) *github.Error {
	var refused *github.Error
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}

// hintSSO leads to where the owner of the credential can authorize it.
func hintSSO(call *session, err error) string {
	refused := refusedBy(err)
	switch {
	case refused == nil:
		return ""
	case refused.SSO != "":
		return on(call).Do(shell.Browse, refused.SSO)
	case call.tokenBegins("github_pat_"):
		return openPage(call, refused.Scope, "/settings/personal-access-tokens")
	}
	return openPage(call, refused.Scope, "/settings/tokens")
}

// openPage opens a page of the scope's server.
func openPage(call *session, scope github.Scope, path string) string {
	if scope.Server() == "" {
		return ""
	}
	return on(call).Do(shell.Browse, scope.Server()+path)
}

// tokenBegins tells whether the credential is a token of one of these kinds.
func (call *session) tokenBegins(prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(call.credential.token.Reveal(), prefix) {
			return true
		}
	}
	return false
}

// hintPermission leads to where the permission can be given: a classic token's
// scopes are widened by gh, and only where one is missing; those of an App and of
// a fine-grained token are set on a page. GitHub hides what a credential may not
// see behind 404.
func hintPermission(call *session, err error) string {
	refused := refusedBy(err)
	var byConfig *register.ConfigError
	switch {
	case errors.As(err, &byConfig):
		return "" // the token was issued already: it is not a scope that is missing
	case refused == nil:
		return call.gh("auth", "status")
	case errors.Is(err, github.ErrRole) && refused.MissingScope() == "":
		return ""
	case optionsOf[credentialOptions](call).appID != "" && refused.Scope.Kind == github.Organization:
		return openPage(call, refused.Scope, "/organizations/"+refused.Scope.Slug()+"/settings/installations")
	case optionsOf[credentialOptions](call).appID != "":
		return openPage(call, refused.Scope, "/settings/installations")
	case errors.Is(err, github.ErrIntegration):
		return ""
	case errors.Is(err, github.ErrFineGrained), refused.Has == nil && (refused.Needs != nil || call.tokenBegins("github_pat_")):
		return openPage(call, refused.Scope, "/settings/personal-access-tokens")
	case refused.Has != nil && refused.MissingScope() == "":
		return ""
	case refused.Has != nil:
		return on(call).Words(append([]string{"gh", "auth", "refresh", "--scopes", refused.MissingScope()}, elsewhere(refused.Scope)...)...)
	case call.credential.empty():
		return hintToken(call, err) // there is none that could be stronger
	case call.tokenBegins("ghs_", "ghu_"):
		return ""
	}
	return on(call).Words(append([]string{"gh", "auth", "refresh", "--scopes", refused.UsualScope()}, elsewhere(refused.Scope)...)...)
}

// hintTokenRefused has another registration or remove token made: by this program
// where it has a credential, else on the page where GitHub gives one.
func hintTokenRefused(call *session, err error) string {
	var refused *register.ConfigError
	errors.As(err, &refused)
	given := call.issued.registration
	file, kind, page := "--registration-token-file", "registration", "/settings/actions/runners/new"
	if refused != nil && refused.Verb == "removing" {
		given, file, kind, page = call.issued.remove, "--remove-token-file", "remove", "/settings/actions/runners"
	}
	switch {
	case !call.credential.empty() && given.Empty():
		return again(call, call.arguments) // it mints another one
	case !call.credential.empty() && len(withoutOption(call.arguments, file)) < len(call.arguments):
		return again(call, withoutOption(call.arguments, file)) // it mints one by itself then
	case !call.credential.empty():
		return call.atScope("token", kind)
	case refused == nil || refused.Scope.Owner == "":
		return ""
	}
	return openPage(call, refused.Scope, settingsOf(refused.Scope)+page)
}

// withoutOption leaves an option out, and its value.
func withoutOption(arguments []string, name string) []string {
	return without(arguments, []string{name, ""})
}

// settingsOf is the path of a scope's pages for its administrators.
func settingsOf(scope github.Scope) string {
	if scope.Kind == github.Organization {
		return "/organizations/" + scope.Slug()
	}
	return "/" + scope.Slug()
}

// toDo says who has to change what; it is empty where a command does it, or where
// GitHub's words leave nothing to add.
func (call *session) toDo(err error, hint string) string {
	if given := call.issued; errors.Is(err, register.ErrTokenRefused) && (!given.registration.Empty() || !given.remove.Empty()) {
		return "get a new token: one for registration or removal lives for an hour, and is for one repository, organization or enterprise"
	}
	if errors.Is(err, bootstrap.ErrBusy) {
		return "--force ends the job at once"
	}
	if text := firstOf(toDoHere(err, hint), toDoOnWindows(call, err)); text != "" {
		return text
	}
	if behindSudo(err) {
		return "if this network has a proxy, name it by --proxy: sudo does not pass https_proxy on"
	}
	if errors.Is(err, register.ErrGone) {
		return "get a new remove token, which lives for an hour; " +
			"if GitHub does not list the runner any more, leave it as it is with --local"
	}
	if errors.Is(err, download.ErrUnmirrored) || errors.Is(err, download.ErrNoOffer) {
		return bringing
	}
	var proxy *transport.ProxyError
	if errors.As(err, &proxy) && proxy.Foreign() {
		return "run a program on this host that signs in to the proxy in its way (cntlm and px do), and give its address with --proxy"
	}
	if refused := refusedBy(err); refused != nil && hint == "" {
		return toDoAtGitHub(refused, err)
	}
	return ""
}

// toDoAtGitHub says who has to change what there.
func toDoAtGitHub(refused *github.Error, err error) string {
	at := refused.Scope.String()
	if refused.Scope.Owner == "" {
		at = "the repository or organization"
	}
	switch {
	case errors.Is(err, github.ErrPolicy):
		return toDoAboutPolicy(refused, at)
	case errors.Is(err, github.ErrWithdrawn) && strings.Contains(strings.ToLower(refused.Said()), "deleted"):
		return fmt.Sprintf("give another --url than that of %s; a runner of it leaves this host by uninstall --local", at)
	case errors.Is(err, github.ErrWithdrawn):
		return "install a newer version of runner-bootstrap"
	case errors.Is(err, github.ErrTokenKind):
		return fmt.Sprintf("use a kind of credential that %s lets in, such as a GitHub App (--app-id), "+
			"or ask its owner to allow this one", at)
	case errors.Is(err, github.ErrSuspended):
		return fmt.Sprintf("an owner of %s has to end the suspension of the App's installation, or use another credential", at)
	case errors.Is(err, github.ErrIntegration):
		return fmt.Sprintf("use the token of an App that has the permission %s; a workflow's own GITHUB_TOKEN cannot have it",
			permissionFor(refused.Scope))
	case errors.Is(err, github.ErrForbidden), errors.Is(err, github.ErrNotFound):
		who := "an admin of the repository"
		if refused.Scope.Kind != github.Repository {
			who = "an owner"
		}
		text := fmt.Sprintf("use the credential of a user who administers %s, or have %s give this one's user that role", at, who)
		if errors.Is(err, github.ErrNotFound) {
			text = "look whether --url is spelled right; if it is, " + text
		}
		return text
	}
	return ""
}

// toDoOnWindows says what no command does that both of its shells know.
func toDoOnWindows(call *session, err error) string {
	var proxy *transport.ProxyError
	switch {
	case on(call).Become == "":
		return ""
	case logonRefused(err):
		return `give the account the right "Log on as a service" there, below Local Policies and User Rights Assignment, or in a ` +
			"domain by a group policy; or uninstall, and install with its password in --password-file"
	case errors.Is(err, account.ErrPrivilege), errors.Is(err, fs.ErrPermission) && !account.Privileged():
		return on(call).Become
	case errors.As(err, &proxy) && proxy.Status == http.StatusProxyAuthRequired:
		return "set the variable https_proxy to " + proxy.Proxy.Scheme + "://USER:PASSWORD@" + proxy.Proxy.Host + ", and do it again"
	}
	return ""
}

// permissionFor is what an App needs to manage the runners of a scope.
func permissionFor(scope github.Scope) string {
	if scope.Kind == github.Organization {
		return `"Self-hosted runners: write"`
	}
	return `"Administration: write"`
}

func toDoAboutPolicy(refused *github.Error, at string) string {
	said := strings.ToLower(refused.Said())
	switch {
	case strings.Contains(said, "archived"):
		return fmt.Sprintf("an admin has to unarchive %s, or give another --url", at)
	case strings.Contains(said, "ip allow list"), strings.Contains(said, "ip address"):
		return fmt.Sprintf("an owner has to add the address of this host, or of its proxy, to the IP allow list that guards %s", at)
	case strings.Contains(said, "locked for migration"), strings.Contains(said, "migrated"):
		return fmt.Sprintf("wait until the migration of %s has ended, or give another --url", at)
	case strings.Contains(said, "blocked"), strings.HasSuffix(strings.TrimRight(said, "."), "repository has been disabled"),
		refused.Status == http.StatusUnavailableForLegalReasons:
		return fmt.Sprintf("the owner of %s has to ask GitHub Support why it is blocked", at)
	case strings.Contains(said, "runner") && refused.Scope.Kind == github.Repository:
		return fmt.Sprintf("an owner of %s has to allow runners of repositories in the settings for Actions; "+
			"or register the runner for the organization: --url %s/%s", refused.Scope.Owner, refused.Scope.Server(), refused.Scope.Owner)
	}
	return fmt.Sprintf("an owner has to allow it in the settings of %s, or of its enterprise", at)
}

// hintScope is the command with the URL that seems to be meant.
func hintScope(call *session, err error) string {
	var wrong *github.ScopeError
	if errors.As(err, &wrong) && wrong.Meant != "" {
		return againWith(call, "--url", wrong.Meant)
	}
	return againWith(call, exampleURL()...)
}

// hintKey looks at the key that was given.
func hintKey(call *session, err error) string {
	if file := optionsOf[credentialOptions](call).appKeyFile; file != "" && strings.Contains(err.Error(), "which is for --token-file") {
		return again(call, leaving(call.arguments, "--app-id", "--app-key-file", "--app-installation-id"), "--token-file", file)
	}
	command := on(call).Do(shell.CheckKey)
	if file := optionsOf[credentialOptions](call).appKeyFile; file != "" && file != "-" {
		command = strings.Replace(command, "FILE", on(call).Words(file), 1)
	}
	return command
}

// hintProxy knows no password, and shows none.
func hintProxy(call *session, err error) string {
	var refused *transport.ProxyError
	if !errors.As(err, &refused) {
		return again(call, call.arguments)
	}
	if refused.Foreign() {
		return "" // nothing that is set here would do
	}
	proxy := refused.Proxy.Scheme + "://"
	if refused.Status == http.StatusProxyAuthRequired && on(call).Do(shell.SetVariable) == "" {
		return "" // see toDo
	}
	if refused.Status == http.StatusProxyAuthRequired {
		set := on(call).Do(shell.SetVariable, "https_proxy") + proxy + "USER:PASSWORD@" + refused.Proxy.Host
		return on(call).Both(set, again(call, call.arguments))
	}
	to := firstOf(optionsOf[scopeOptions](call).url, "https://github.com")
	return on(call).Words(on(call).Do(shell.Fetch), "-v", "--proxy", proxy+refused.Proxy.Host, to)
}

// hintUnauthorized looks at the token that gh has for the same host.
func hintUnauthorized(call *session, err error) string {
	if call.credential.empty() || call.console != nil && call.console.asked {
		return hintToken(call, err)
	}
	words := []string{"gh", "auth", "status"}
	if refused := refusedBy(err); refused != nil {
		return on(call).Words(append(words, elsewhere(refused.Scope)...)...)
	}
	return call.gh("auth", "status")
}

// hintOtherHost looks at all that stands between here and GitHub, in the way that this call went.
func hintOtherHost(call *session, _ error) string {
	words, network := []string{"doctor"}, optionsOf[networkOptions](call)
	if scope := optionsOf[scopeOptions](call); scope.url != "" {
		words = append(words, "--url", scope.url)
	}
	if network.caFile != "" {
		words = append(words, "--ca-file", network.caFile)
	}
	if network.proxy != "" && !strings.Contains(network.proxy, "@") { // which may hold a password
		words = append(words, "--proxy", network.proxy)
	}
	return call.here(words...)
}

// hintServer asks who is ill: GitHub says so on a page, and a server that somebody runs says whether it lives.
func hintServer(call *session, err error) string {
	refused := refusedBy(err)
	if refused == nil || refused.Scope.Server() == "" || refused.Scope.Cloud() {
		return on(call).Words(on(call).Do(shell.Fetch), "-sS", "https://www.githubstatus.com/api/v2/status.json")
	}
	return on(call).Words(on(call).Do(shell.Fetch), "-sS", refused.Scope.Server()+"/status")
}

// toDoHere is about what has to be changed on this host, and by no command.
func toDoHere(err error, hint string) string {
	switch {
	case errors.Is(err, sudoers.ErrRefused):
		return "see what visudo -c says of this host's rules, mend that, and install again"
	case volume.IsFull(err) && hint == "":
		return "free space there, or let it be written elsewhere"
	}
	return ""
}
