package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func refusalOf(err error) refusal.Error {
	var refused *refusal.Error
	if errors.As(err, &refused) {
		return *refused
	}
	return refusal.Error{}
}

func (call *session) here(words ...string) string {
	words = append([]string{"runner-bootstrap"}, words...)
	place := optionsOf[placeOptions](call)
	if dir, err := place.absolute(); err == nil && dir != "" {
		words = append(words, "--dir", dir)
	} else if place.dir != "" {
		words = append(words, "--dir", place.dir)
	}
	return on(call).Words(words...)
}

// hintDeclined is the command that does it without asking.
func hintDeclined(call *session, _ error) string { return againWith(call, "--yes") }

// hintBusy lets the job finish first.
func hintBusy(call *session, err error) string {
	return on(call).Both(call.here("drain", "--name", refusalOf(err).Name), again(call, call.arguments))
}

// hintAsItIs asks for what the runner has already, and cannot have otherwise.
func hintAsItIs(option string) func(*session, error) string {
	return func(call *session, err error) string { return againWith(call, option, refusalOf(err).Detail) }
}

// showProcesses shows the containers that a process may be in.
func showProcesses(s shell.System) string { return s.Do(shell.ShowProcesses) }

// hintNameListed replaces a runner that is offline; one that is at work keeps its name.
func hintNameListed(call *session, err error) string {
	if strings.Contains(refusalOf(err).Detail, "offline") {
		return againWith(call, "--replace")
	}
	return againWith(call, "--name", "{hostname}-{random}")
}

// hintNameTaken does so where GitHub could not be asked how the runner is, with a registration token alone: then it is
// to be looked at first.
func hintNameTaken(call *session, _ error) string {
	if registration := optionsOf[registrationOptions](call); registration.replace == "" {
		return againWith(call, "--replace")
	}
	return againWith(call, "--name", "{hostname}-{random}")
}

// hintOutdated offers the version that GitHub offers.
func hintOutdated(call *session, err error) string {
	version := refusalOf(err).Name
	if version == "" {
		version = "VERSION"
	}
	return againWith(call, "--runner-version", version)
}

// atScope is another command about the same scope.
func (call *session) atScope(words ...string) string {
	words = append([]string{"runner-bootstrap"}, words...)
	if url := optionsOf[scopeOptions](call).url; url != "" {
		words = append(words, "--url", url)
	}
	if file := optionsOf[credentialOptions](call).tokenFile; file != "" {
		words = append(words, "--token-file", file)
	}
	return on(call).Words(words...)
}

func hintToken(call *session, err error) string {
	file, text := optionsOf[credentialOptions](call).tokenFile, err.Error()
	if file != "" && file != "-" && errors.Is(err, secret.ErrToken) && strings.Contains(text, "is for --app-key-file") {
		return again(call, leaving(call.arguments, "--token-file"), "--app-id", "ID", "--app-key-file", file)
	}
	if hint := hintOtherKind(call, err); hint != "" {
		return hint
	}
	if call.console != nil && call.console.asked {
		return again(call, call.arguments) // which asks
	}
	return call.gh("auth", "token") + " | " + againWith(call, "--token-file", "-")
}

// hintOtherKind gives what was issued elsewhere to the option that is for it; empty where it is none of these.
func hintOtherKind(call *session, err error) string {
	var other *otherKindError
	if !errors.As(err, &other) || other.file == "" {
		return ""
	}
	return again(call, leaving(call.arguments, other.given), other.option, other.file)
}

// gh is GitHub's own program, which speaks to github.com unless it is told of another host.
func (call *session) gh(words ...string) string {
	words = append([]string{"gh"}, words...)
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil {
		return on(call).Words(words...)
	}
	return on(call).Words(append(words, elsewhere(scope)...)...)
}

// elsewhere are the words by which gh is told of a scope's host; none for github.com.
func elsewhere(scope github.Scope) []string {
	_, host, found := strings.Cut(scope.Server(), "://")
	if !found || host == "github.com" || host == "www.github.com" {
		return nil
	}
	return []string{"--hostname", host}
}

func hintName(call *session, _ error) string {
	if makes := firstOf(call.arguments...); makes == "install" || makes == "config" || makes == "cloud-init" {
		return againWith(call, "--name", "{hostname}")
	}
	return call.here("status")
}

// hintMoved asks under which name the scope is known today.
func hintMoved(call *session, _ error) string {
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil || scope.Kind != github.Repository {
		return again(call, call.arguments)
	}
	return on(call).Words("gh", "repo", "view", scope.URL(), "--json", "url")
}

func hintLimit(call *session, err error) string {
	var refused *github.Error
	if errors.As(err, &refused) && !refused.Reset.IsZero() {
		seconds := int(time.Until(refused.Reset).Seconds()) + 1
		if wait := on(call).Do(shell.Wait, strconv.Itoa(max(1, seconds))); wait != "" {
			return wait + "; " + again(call, call.arguments)
		}
	}
	return call.gh("api", "rate_limit")
}

func hintNotGitHub(call *session, _ error) string {
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil {
		return again(call, call.arguments)
	}
	return on(call).Words(on(call).Do(shell.Fetch), "-sS", scope.API()+"/meta")
}

// hintNoTLS shows what answers there, where the mirror or GitHub is said to be.
func hintNoTLS(call *session, err error) string {
	if mirror := optionsOf[sourceOptions](call).mirror; mirror != "" && errors.Is(err, download.ErrTransfer) {
		return on(call).Words(on(call).Do(shell.Fetch), "-sSI", mirror)
	}
	return hintNotGitHub(call, err)
}

func hintLog(call *session, err error) string {
	if logonRefused(err) {
		return "secpol.msc" // see toDoOnWindows
	}
	var start *startup.StartError
	if errors.As(err, &start) {
		if hint := call.hintWords(start); hint != "" {
			return hint
		}
		return showLog(call, start.Service, filepath.Base(start.Dir))
	}
	var refused *svc.Error
	if errors.As(err, &refused) {
		return on(call).Words(svc.ShowState(refused)...)
	}
	return on(call).Words(svc.ShowFailed()...)
}

// logonRefused tells whether Windows has not let an account log on as a service, by its number for that: its words differ by the
// language of the system, and come from the agent's log.
func logonRefused(err error) bool { return strings.Contains(err.Error(), " (1069): ") }

// hintWords mends what a listener has said before it ended; empty where that is not
// known to be mended by anything.
func (call *session) hintWords(start *startup.StartError) string {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(start.Words, w) })
	}
	switch {
	case says("runner's work directory"):
		return againWith(call, "--work", "_work")
	case says("libicu", "ICU package", "cannot open shared object file", "GLIBC_", "GLIBCXX_"):
		return hintDoctor(call, nil)
	case says("SSL connection", "certificate"):
		return againWith(call, "--ca-file", "FILE")
	case says("CoreCLR") && !slices.Contains(optionsOf[lifecycleOptions](call).allow, plan.AllowAll):
		return againWith(call, "--allow", plan.AllowAll) // what keeps .NET from starting is most often the sandbox
	case start.AtOnce && start.User != "":
		return on(call).Do(shell.AsAccount, start.User, filepath.Join(start.Dir, "bin", "Runner.Listener"))
	default:
		return ""
	}
}

// showLog shows the log of a service: that of the system's, or else what the runner has written itself.
func showLog(call *session, service, runner string) string {
	if log := on(call).Words(svc.ShowLog(service)...); log != "" {
		return log
	}
	return call.here("logs", "--name", runner)
}

// hintFiles shows how many files a file system has that can hold no more.
func hintFiles(call *session, err error) string {
	var place *places.Error
	if !errors.As(err, &place) {
		return on(call).Do(shell.ShowFiles, ".")
	}
	return on(call).Do(shell.ShowFiles, place.Path)
}

// without makes the call without a variable.
func unset(call *session, variable string) string {
	if unset := on(call).Do(shell.Unset, variable); unset != "" {
		return unset + " " + again(call, call.arguments)
	}
	return ""
}

// hintStart starts what nothing supervises.
func hintStart(call *session, err error) string {
	return call.here("run", "--name", refusalOf(err).Name)
}
