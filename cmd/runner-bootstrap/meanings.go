package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sudoers"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
	"github.com/runner-bootstrap/runner-bootstrap/internal/trust"
	"github.com/runner-bootstrap/runner-bootstrap/internal/userdata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// meaning is what an error is to a user: an exit code and a command to run.
type meaning struct {
	of   error
	code int
	hint func(call *session, err error) string
	when mending
}

// meaningOf is what an error is known to mean; nil if it is not.
func meaningOf(err error) *meaning {
	for _, m := range meanings() {
		if errors.Is(err, m.of) {
			return &m
		}
	}
	return nil
}

// meanings are looked through in their order, as one error may match several.
func meanings() []meaning {
	return slices.Concat(callMeanings(), hostMeanings(), credentialMeanings(), refusalMeanings(), networkMeanings())
}

func callMeanings() []meaning {
	return []meaning{
		{errUnhealthy, exitUnhealthy, hintUnhealthy, never},
		{errDeclined, exitInterrupted, hintDeclined, never},
		{github.ErrScope, exitUsage, hintScope, never},
		{plan.ErrOtherServer, exitUsage, plus("--url", "https://HOST/OWNER/REPO"), never},
		{plan.ErrLabelTemplate, exitUsage, plus("--labels", "LABEL,LABEL"), never},
		{plan.ErrUnasked, exitUsage, plus("--metadata", "auto"), never},
		{plan.ErrTemplate, exitUsage, plus("--name", "{hostname}"), never},
		{download.ErrUnnamed, exitUsage, plus("--runner-version", "VERSION"), never},
		{download.ErrOtherVersion, exitUsage, fixed("runner-bootstrap install --help"), never},
		{trust.ErrNoCertificate, exitUsage, hintCertificate, later},
		{download.ErrMirror, exitUsage, plus("--mirror", "https://HOST/DIRECTORY"), never},
		{instance.ErrName, exitUsage, hintName, never},
		{places.ErrWorkName, exitUsage, hintWork, never},
		{github.ErrNoGroups, exitUsage, plus("--url", "https://github.com/ORGANIZATION"), never},
		{github.ErrMoved, exitUsage, hintMoved, never},
		{github.ErrLabels, exitUsage, hintLabels, never},
	}
}

func hostMeanings() []meaning {
	return []meaning{
		{download.ErrPlatform, exitHost, typed(func(s shell.System) string { return s.Do(shell.ShowSystem) }), never},
		{places.ErrWork, exitHost, hintWork, never},
		{plan.ErrUnfilled, exitHost, hintUnfilled, later},
		{metadata.ErrNoCloud, exitHost, hintNoFacts, later},
		{metadata.ErrClosed, exitHost, hintNoFacts, never},
		{metadata.ErrNoAnswer, exitHost, plus("--metadata-wait", "5m"), later},
		{plan.ErrNotInService, exitHost, hintNotInService, later},
		{machine.ErrCopied, exitHost, hintCopied, never},
		{instance.ErrLocked, exitHost, hintLocked, later},
		{inuse.ErrOpen, exitHost, same, later},
		{instance.ErrElsewhere, exitHost, typed(showProcesses), later},
		{account.ErrPrivilege, exitHost, asRoot, never},
		{plan.ErrAccount, exitHost, hintAccount, never},
		{plan.ErrPassword, exitHost, plus("--password-file", "FILE"), never},
		{account.ErrCreate, exitHost, hintCreate, later},
		{sudoers.ErrRefused, exitHost, noCommand, never},
		{agent.ErrAccountAway, exitService, hintAskAccount, later},
		{account.ErrUnanswered, exitHost, hintAskAccount, later},
		{plan.ErrUnreachable, exitHost, hintUnreachable, never},
		{plan.ErrForeignDir, exitHost, hintForeignDir, never},
		{plan.ErrForeignService, exitHost, hintForeignService, never},
		{removal.ErrMounted, exitHost, hintMounted, never},
		{folders.ErrSilent, exitHost, typed(func(s shell.System) string { return s.Do(shell.ShowMounts) }), later},
		{removal.ErrImmutable, exitHost, hintImmutable, never},
		{plan.ErrTemporary, exitHost, hintTemporary, never},
		{plan.ErrProgram, exitHost, hintTemporary, never},
		{svc.ErrUnfit, exitHost, hintUnfit, never},
		{trust.ErrUnreadable, exitHost, hintTrust, never},
		{plan.ErrPrivateTemp, exitHost, hintPrivateTemp, never},
		{bootstrap.ErrNotClean, exitHost, hintNotClean, never},
		{plan.ErrDamaged, exitHost, hintUninstall, never},
		{instance.ErrRemoving, exitHost, hintUninstall, never},
		{instance.ErrUnknown, exitHost, lookHere, never},
		{account.ErrAbsent, exitHost, hintNoAccount, later},
		{svc.ErrUnavailable, exitHost, plus("--no-service"), never},
		{register.ErrLibraries, exitHost, hintLibraries, later},
		{register.ErrNoProgram, exitHost, fixed("runner-bootstrap prepare"), never},
		{libraries.ErrMissing, exitHost, hintDoctor, never},
		{places.ErrGiven, exitHost, hintGiven, never},
		{acl.ErrOpen, exitHost, hintOpen, never},
		{places.ErrInodes, exitHost, hintFiles, later},
		{places.ErrReadOnly, exitHost, hintRemount, never},
		{places.ErrNoExec, exitHost, hintRemount, never},
		{places.ErrPlain, exitHost, plus("--dir", "DIR"), never},
		{places.ErrNoStart, exitHost, plus("--dir", "DIR"), never},
		{places.ErrLacking, exitHost, plus("--dir", "DIR"), never},
		{places.ErrSquashed, exitHost, plus("--dir", "DIR"), never},
		{places.ErrLinked, exitHost, hintLinked, never},
		{places.ErrPlace, exitHost, plus("--dir", "DIR"), never},
		{libraries.ErrNoPackages, exitHost, typed(func(s shell.System) string { return s.Do(shell.ShowRelease) }), never},
		{libraries.ErrInterrupted, exitHost, typed(func(s shell.System) string { return s.Do(shell.FinishPackages) }), never},
		{libraries.ErrInstall, exitHost, same, never},
		{download.ErrSpace, exitHost, hintSpace, later},
		{download.ErrAbsent, exitHost, hintAbsent, later},
		{download.ErrDamaged, exitHost, hintDamaged, later},
		{download.ErrVanished, exitHost, same, later},
	}
}

func credentialMeanings() []meaning {
	return []meaning{
		{errSecretCommand, exitCredential, same, soon},
		{github.ErrNoCredential, exitCredential, hintToken, never},
		{secret.ErrToken, exitCredential, hintToken, later},
		{secret.ErrAppKey, exitCredential, hintKey, later},
		{github.ErrAppID, exitCredential, plus("--app-id", "ID"), never},
		{github.ErrAppEnterprise, exitCredential, hintToken, never},
		{github.ErrNotInstalled, exitCredential, fixed("gh browse --settings"), never},
		{github.ErrClock, exitHost, typed(func(s shell.System) string { return s.Do(shell.ShowClock) }), soon},
		{github.ErrNoRunner, exitRefused, hintRunners, never},
		{github.ErrGroupUnknown, exitRefused, hintGroups, never},
		{github.ErrNoRelease, exitRefused, hintDownloads, never},
		{download.ErrNoOffer, exitRefused, plus("--archive", "FILE"), never},
		{github.ErrNoJIT, exitRefused, hintEphemeral, never},
		{register.ErrJITConfig, exitCredential, hintJITConfig, never},
		{github.ErrSSO, exitCredential, hintSSO, never},
		{github.ErrRateLimited, exitNetwork, hintLimit, later},
		{download.ErrUnmirrored, exitNetwork, hintBring, later},
		{github.ErrPolicy, exitRefused, noCommand, never},
		{github.ErrWithdrawn, exitRefused, noCommand, never},
		{github.ErrTokenKind, exitCredential, noCommand, never},
		{github.ErrSuspended, exitCredential, noCommand, never},
		{github.ErrUnauthorized, exitCredential, hintUnauthorized, later},
		{github.ErrForbidden, exitCredential, hintPermission, never},
		{github.ErrNotFound, exitCredential, hintPermission, never},
		{register.ErrTokenRefused, exitCredential, hintTokenRefused, later},
		{register.ErrGone, exitCredential, hintTokenRefused, never},
	}
}

func refusalMeanings() []meaning {
	return []meaning{
		{userdata.ErrNoChecksums, exitArchive, plus("--checksums-sha256", "HEX"), never},
		{download.ErrNoDigest, exitArchive, plus("--sha256", "HEX"), never},
		{download.ErrArchive, exitArchive, same, never},

		{download.ErrOutdated, exitRefused, hintOutdated, never},
		{register.ErrNameListed, exitRefused, hintNameListed, later},
		{register.ErrNameAtWork, exitRefused, plus("--name", "{hostname}-{random}"), later},
		{register.ErrNameTaken, exitRefused, hintNameTaken, later},
		{register.ErrConflict, exitRefused, same, later},
		{register.ErrUnconfirmed, exitRefused, same, later},
		{github.ErrNameTaken, exitRefused, plus("--name", "OTHER"), later},
		{github.ErrUnprocessable, exitRefused, hintUnprocessable, never},
		{github.ErrRefused, exitRefused, same, later},
		{plan.ErrGroupClosed, exitRefused, hintGroups, never},
		{plan.ErrSpent, exitRefused, hintJITConfig, never},
		{plan.ErrDiffers, exitRefused, plus("--replace"), never},
		{plan.ErrOtherScope, exitRefused, plus("--name", "{hostname}-{random}"), never},
		{plan.ErrOtherUpdate, exitRefused, hintAsItIs("--update"), never},
		{plan.ErrUpdate, exitUsage, plus("--update", "runner"), never},
		{plan.ErrUntold, exitUsage, plus("--update", "runner"), never},
		{plan.ErrOtherAccount, exitRefused, hintAsItIs("--user"), never},
		{bootstrap.ErrBusy, exitRefused, hintBusy, later},
		{plan.ErrAtWork, exitRefused, hintAtWork, later},
		{register.ErrBusy, exitRefused, same, later},
		{github.ErrBusy, exitRefused, same, later},
		{github.ErrConflict, exitRefused, same, later},
		{register.ErrGroupUnknown, exitRefused, hintGroups, never},
		{register.ErrTooOld, exitRefused, hintUninstall, never},
		{supervise.ErrRegistrationEnd, exitRefused, lookHere, never},
		{supervise.ErrVersionRefused, exitRefused, lookHere, never},
		{supervise.ErrNotConfigured, exitRefused, lookHere, never},

		{agent.ErrOnExit, exitHost, fixed("runner-bootstrap install --help"), never},
		{svc.ErrSandbox, exitService, plus("--allow", "all"), never},
		{bootstrap.ErrNotSupervised, exitService, hintStart, later},
		{bootstrap.ErrNoService, exitService, hintStart, never},
		{errNoLog, exitService, hintListenerLog, never},
		{errNoListenerLog, exitHost, lookHere, later},
		{agent.ErrLate, exitService, typed(func(s shell.System) string { return s.Do(shell.CheckMounts) }), later},
		{startup.ErrNotListening, exitService, hintLog, later},
		{startup.ErrService, exitService, hintLog, later},
		{supervise.ErrNoListener, exitService, lookHere, later},
	}
}

func networkMeanings() []meaning {
	list := []meaning{
		{register.ErrStillListed, exitNetwork, same, later},
		{userdata.ErrChecksums, exitNetwork, plus("--checksums-sha256", "HEX"), later},
		{github.ErrServer, exitNetwork, hintServer, soon},
		{github.ErrNotGitHub, exitNetwork, hintNotGitHub, later},
		{transport.ErrUntrusted, exitNetwork, plus("--ca-file", "FILE"), later},
		{transport.ErrNotValidNow, exitNetwork, typed(func(s shell.System) string { return s.Do(shell.ShowClock) }), soon},
		{transport.ErrOtherHost, exitNetwork, hintOtherHost, later},
		{transport.ErrProxyAway, exitNetwork, hintProxy, soon},
		{transport.ErrProxy, exitNetwork, hintProxy, later},
		{transport.ErrNoTLS, exitNetwork, hintNoTLS, later},
		{download.ErrDenied, exitNetwork, hintDenied, later},
		{download.ErrTransfer, exitNetwork, same, later},
		{register.ErrUnreachable, exitNetwork, hintPort, soon},
		{register.ErrSlow, exitNetwork, hintPort, later},
		{context.DeadlineExceeded, exitNetwork, plus("--timeout", "30m"), later},
		{github.ErrNetwork, exitNetwork, same, soon},
		{fs.ErrPermission, exitHost, asRoot, never},
		{errors.ErrUnsupported, exitHost, lookHere, never}, // drain, where there are no signals
		{syscall.EROFS, exitHost, typed(func(s shell.System) string { return s.Do(shell.ShowReadOnly) }), never},
	}
	for _, full := range volume.Full() {
		list = append(list, meaning{full, exitHost, noCommand, later})
	}
	return list
}
