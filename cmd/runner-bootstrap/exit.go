package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// exitCode is what a script learns.
type exitCode struct {
	code   int
	means  string
	should string // what a script should do
}

// The exit codes, which scripts rely on.
const (
	exitDone        = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitHost        = 3
	exitCredential  = 4
	exitNetwork     = 5
	exitArchive     = 6
	exitRefused     = 7
	exitService     = 8
	exitUnhealthy   = 9
	exitInterrupted = 130
)

// exitCodes describes them for the README.
func exitCodes() []exitCode {
	return []exitCode{
		{exitDone, "done, or already so", "go on"},
		{exitUnexpected, "unexpected", "report it"},
		{exitUsage, "usage: option, URL, combination, configuration file", "fix the call"},
		{exitHost, "this host cannot: privileges, platform, library, space, locked", "fix the host"},
		{exitCredential, "credential missing, refused or too weak", "fix the token"},
		{exitNetwork, "network, GitHub, or rate limit, after retries", "try later"},
		{exitArchive, "the archive is not what was promised: digest, unsafe path, truncated", "stop, look"},
		{exitRefused, "registration refused: name, group, version, other options, busy", "choose otherwise"},
		{exitService, "the service manager refused, or the service did not come up", "read its log"},
		{exitUnhealthy, "`status`, `doctor`: not healthy", "repair"},
		{exitInterrupted, "interrupted", "run it again: it continues"},
	}
}

// meaning is what an error is to a user: an exit code and a command to run.
type meaning struct {
	of   error
	code int
	hint func(call *session, err error) string
}

// report says what went wrong, once, and returns the exit code. It is the only
// place that turns errors into words, hints and codes.
func (call *session) report(err error) int {
	if err == nil {
		return exitDone
	}
	code, hint := call.explain(err)
	call.console.failure(err, hint, call.toDo(err, hint), explainedAt(err), code)
	return code
}

// explainedAt is the page that GitHub names for a refusal; empty without one.
func explainedAt(err error) string {
	var refused *github.Error
	if errors.As(err, &refused) && strings.HasPrefix(refused.Documentation, "https://") {
		return refused.Documentation
	}
	return ""
}

func (call *session) explain(err error) (int, string) {
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage, firstOf(usage.hint, call.help())
	}
	if call.interrupted && errors.Is(err, context.Canceled) {
		return exitInterrupted, again(call.arguments)
	}
	for _, m := range meanings() {
		if errors.Is(err, m.of) {
			return m.code, m.hint(call, err)
		}
	}
	var manager *svc.Error
	if errors.As(err, &manager) {
		return exitService, hintLog(call, err)
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		return exitUsage, "runner-bootstrap help"
	}
	return exitUnexpected, again(call.arguments, "--log-level", "debug")
}

// meanings are looked through in their order, as one error may match several.
func meanings() []meaning {
	return slices.Concat(callMeanings(), hostMeanings(), credentialMeanings(), refusalMeanings(), networkMeanings())
}

func callMeanings() []meaning {
	return []meaning{
		{errUnhealthy, exitUnhealthy, hintUnhealthy},
		{github.ErrScope, exitUsage, fixed("runner-bootstrap install --url https://github.com/OWNER/REPO --token-file FILE")},
		{plan.ErrOtherServer, exitUsage, plus("--url", "https://HOST/OWNER/REPO")},
		{plan.ErrTemplate, exitUsage, plus("--name", "{hostname}")},
		{download.ErrUnnamed, exitUsage, plus("--runner-version", "VERSION")},
		{download.ErrOtherVersion, exitUsage, fixed("runner-bootstrap install --help")},
		{plan.ErrNoCertificate, exitUsage, hintCertificate},
		{download.ErrMirror, exitUsage, plus("--mirror", "https://HOST/DIRECTORY")},
		{instance.ErrName, exitUsage, hintName},
		{places.ErrWorkName, exitUsage, hintWork},
		{github.ErrNoGroups, exitUsage, plus("--url", "https://github.com/ORGANIZATION")},
		{github.ErrMoved, exitUsage, hintMoved},
		{github.ErrLabels, exitUsage, hintLabels},
	}
}

func hostMeanings() []meaning {
	return []meaning{
		{download.ErrPlatform, exitHost, fixed("uname -sm")},
		{places.ErrWork, exitHost, hintWork},
		{plan.ErrUnfilled, exitHost, hintUnfilled},
		{metadata.ErrNoCloud, exitHost, plus("--metadata", "auto")},
		{metadata.ErrNoAnswer, exitHost, plus("--metadata-wait", "5m")},
		{machine.ErrCopied, exitHost, hintCopied},
		{instance.ErrLocked, exitHost, hintLocked},
		{instance.ErrElsewhere, exitHost, fixed(hintElsewhere)},
		{account.ErrPrivilege, exitHost, asRoot},
		{plan.ErrAccount, exitHost, hintAccount},
		{account.ErrCreate, exitHost, hintCreate},
		{agent.ErrAccountAway, exitService, hintAskAccount},
		{account.ErrUnanswered, exitHost, hintAskAccount},
		{plan.ErrUnreachable, exitHost, hintUnreachable},
		{plan.ErrForeignDir, exitHost, hintForeignDir},
		{plan.ErrForeignService, exitHost, hintForeignService},
		{removal.ErrMounted, exitHost, hintMounted},
		{plan.ErrTemporary, exitHost, hintTemporary},
		{plan.ErrUnreadable, exitHost, hintTrust},
		{plan.ErrPrivateTemp, exitHost, hintPrivateTemp},
		{bootstrap.ErrNotClean, exitHost, hintNotClean},
		{plan.ErrDamaged, exitHost, hintUninstall},
		{instance.ErrRemoving, exitHost, hintUninstall},
		{instance.ErrUnknown, exitHost, fixed("runner-bootstrap status")},
		{account.ErrAbsent, exitHost, hintNoAccount},
		{svc.ErrUnavailable, exitHost, plus("--no-service")},
		{register.ErrLibraries, exitHost, hintLibraries},
		{register.ErrNoProgram, exitHost, fixed("runner-bootstrap prepare")},
		{doctor.ErrLibraries, exitHost, hintDoctor},
		{places.ErrGiven, exitHost, hintGiven},
		{places.ErrInodes, exitHost, fixed("df -i")},
		{places.ErrReadOnly, exitHost, hintRemount},
		{places.ErrNoExec, exitHost, hintRemount},
		{places.ErrPlain, exitHost, plus("--dir", "DIR")},
		{places.ErrNoStart, exitHost, plus("--dir", "DIR")},
		{places.ErrLacking, exitHost, plus("--dir", "DIR")},
		{places.ErrSquashed, exitHost, plus("--dir", "DIR")},
		{places.ErrPlace, exitHost, plus("--dir", "DIR")},
		{doctor.ErrNoPackages, exitHost, fixed("cat /etc/os-release")},
		{doctor.ErrInstall, exitHost, same},
		{download.ErrSpace, exitHost, fixed("df -h && df -i")}, // the kernel does not say which
		{download.ErrAbsent, exitHost, hintAbsent},
		{download.ErrDamaged, exitHost, hintDamaged},
	}
}

func credentialMeanings() []meaning {
	return []meaning{
		{github.ErrNoCredential, exitCredential, hintToken},
		{github.ErrToken, exitCredential, hintToken},
		{github.ErrAppKey, exitCredential, fixed("openssl rsa -check -noout -in FILE")},
		{github.ErrAppID, exitCredential, plus("--app-id", "ID")},
		{github.ErrAppEnterprise, exitCredential, hintToken},
		{github.ErrNotInstalled, exitCredential, fixed("gh browse --settings")},
		{github.ErrClock, exitHost, fixed("timedatectl status")},
		{github.ErrNoRunner, exitRefused, hintRunners},
		{github.ErrGroupUnknown, exitRefused, hintGroups},
		{github.ErrNoRelease, exitRefused, hintDownloads},
		{download.ErrNoOffer, exitRefused, plus("--archive", "FILE")},
		{github.ErrNoJIT, exitRefused, hintEphemeral},
		{register.ErrJITConfig, exitCredential, hintJITConfig},
		{github.ErrSSO, exitCredential, hintSSO},
		{github.ErrRateLimited, exitNetwork, hintLimit},
		{download.ErrUnmirrored, exitNetwork, hintBring},
		{github.ErrPolicy, exitRefused, noCommand},
		{github.ErrWithdrawn, exitRefused, noCommand},
		{github.ErrTokenKind, exitCredential, noCommand},
		{github.ErrSuspended, exitCredential, noCommand},
		{github.ErrUnauthorized, exitCredential, hintUnauthorized},
		{github.ErrForbidden, exitCredential, hintPermission},
		{github.ErrNotFound, exitCredential, hintPermission},
		{register.ErrTokenRefused, exitCredential, hintTokenRefused},
		{register.ErrGone, exitCredential, hintTokenRefused},
	}
}

func refusalMeanings() []meaning {
	return []meaning{
		{download.ErrNoDigest, exitArchive, plus("--sha256", "HEX")},
		{download.ErrArchive, exitArchive, same},

		{download.ErrOutdated, exitRefused, hintOutdated},
		{register.ErrNameListed, exitRefused, hintNameListed},
		{register.ErrNameAtWork, exitRefused, plus("--name", "{hostname}-{random}")},
		{register.ErrNameTaken, exitRefused, hintNameTaken},
		{register.ErrConflict, exitRefused, same},
		{register.ErrUnconfirmed, exitRefused, same},
		{github.ErrNameTaken, exitRefused, plus("--name", "OTHER")},
		{github.ErrUnprocessable, exitRefused, same},
		{plan.ErrGroupClosed, exitRefused, hintGroups},
		{plan.ErrSpent, exitRefused, hintJITConfig},
		{plan.ErrDiffers, exitRefused, plus("--replace")},
		{plan.ErrOtherScope, exitRefused, hintUninstall},
		{plan.ErrOtherUpdate, exitRefused, hintUninstall},
		{plan.ErrUpdate, exitUsage, plus("--update", "runner")},
		{plan.ErrUntold, exitUsage, plus("--update", "runner")},
		{plan.ErrOtherAccount, exitRefused, hintUninstall},
		{bootstrap.ErrBusy, exitRefused, plus("--force")},
		{plan.ErrAtWork, exitRefused, hintAtWork},
		{register.ErrBusy, exitRefused, same},
		{github.ErrBusy, exitRefused, same},
		{github.ErrConflict, exitRefused, same},
		{register.ErrGroupUnknown, exitRefused, hintGroups},
		{register.ErrTooOld, exitRefused, hintUninstall},
		{supervise.ErrRegistrationEnd, exitRefused, fixed("runner-bootstrap status")},
		{supervise.ErrVersionRefused, exitRefused, fixed("runner-bootstrap status")},
		{supervise.ErrNotConfigured, exitRefused, fixed("runner-bootstrap status")},

		{agent.ErrOnExit, exitHost, fixed("runner-bootstrap install --help")},
		{svc.ErrSandbox, exitService, plus("--allow", "all")},
		{bootstrap.ErrNotSupervised, exitService, hintStart},
		{agent.ErrLate, exitService, fixed("findmnt --verify")},
		{bootstrap.ErrNotListening, exitService, hintLog},
		{bootstrap.ErrService, exitService, hintLog},
		{supervise.ErrNoListener, exitService, fixed("runner-bootstrap status")},
	}
}

func networkMeanings() []meaning {
	return []meaning{
		{register.ErrStillListed, exitNetwork, same},
		{github.ErrServer, exitNetwork, hintServer},
		{github.ErrNotGitHub, exitNetwork, hintNotGitHub},
		{transport.ErrProxy, exitNetwork, hintProxy},
		{download.ErrTransfer, exitNetwork, same},
		{register.ErrUnreachable, exitNetwork, hintPort},
		{register.ErrSlow, exitNetwork, hintPort},
		{context.DeadlineExceeded, exitNetwork, plus("--timeout", "30m")},
		{github.ErrNetwork, exitNetwork, same},
		{fs.ErrPermission, exitHost, asRoot},
		{errors.ErrUnsupported, exitHost, fixed("runner-bootstrap status")}, // drain, where there are no signals
		{syscall.EROFS, exitHost, fixed("findmnt --options ro")},
	}
}

// Hints that need nothing but the call itself.

func same(call *session, _ error) string { return again(call.arguments) }

// noCommand is for what no command mends: see [session.toDo].
func noCommand(*session, error) string { return "" }

func asRoot(call *session, _ error) string { return underSudo(again(call.arguments)) }

func plus(words ...string) func(*session, error) string {
	return func(call *session, _ error) string { return again(call.arguments, words...) }
}

func fixed(hint string) func(*session, error) string {
	return func(*session, error) string { return hint }
}

func (call *session) help() string {
	for _, command := range strings.Fields(everyCommand) {
		words := strings.Fields(typedCommand(command))
		if len(call.arguments) >= len(words) && slices.Equal(call.arguments[:len(words)], words) {
			return "runner-bootstrap " + strings.Join(words, " ") + " --help"
		}
	}
	return "runner-bootstrap help"
}

// again is the command that was typed, with more words, instead of an option that
// they give as well. The values of --env stay out of it: a hint ends in logs, and
// they may be secrets of the jobs'.
func again(arguments []string, more ...string) string {
	words, previous := []string{"runner-bootstrap"}, ""
	for _, word := range without(arguments, more) {
		before, variable := "", word
		if joined, found := strings.CutPrefix(word, "--env="); found {
			before, variable = "--env=", joined
		}
		if before != "" || previous == "--env" {
			key, _, _ := strings.Cut(variable, "=")
			word = before + key + "=VALUE"
		}
		words, previous = append(words, word), word
	}
	return shellWords(append(words, more...))
}

// without leaves out of arguments the option that begins more, and its value.
func without(arguments, more []string) []string {
	if len(more) != 2 || !strings.HasPrefix(more[0], "--") {
		return arguments
	}
	var kept []string
	for i := 0; i < len(arguments); i++ {
		switch {
		case arguments[i] == more[0]:
			i++
		case strings.HasPrefix(arguments[i], more[0]+"="):
		default:
			kept = append(kept, arguments[i])
		}
	}
	return kept
}

// shellWords quotes where a shell needs it.
func shellWords(words []string) string {
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		quoted = append(quoted, shell.Quote(word))
	}
	return strings.Join(quoted, " ")
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// installedAs is where a program that is to stay belongs.
func installedAs() string {
	return filepath.Join("/usr/local/bin", filepath.Base(os.Args[0]))
}
