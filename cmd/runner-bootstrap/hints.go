package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
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
	if dir := optionsOf[placeOptions](call).dir; dir != "" {
		words = append(words, "--dir", dir)
	}
	return shellWords(words)
}

func hintLocked(_ *session, err error) string {
	var locked *instance.LockedError
	switch {
	case !errors.As(err, &locked), locked.Holder.None():
	case locked.Holder.Elsewhere():
		return hintElsewhere
	default:
		return fmt.Sprintf("ps -fp %d", locked.Holder.PID)
	}
	return "runner-bootstrap status"
}

// hintDeclined is the command that does it without asking.
func hintDeclined(call *session, _ error) string { return againWith(call, "--yes") }

// hintBusy lets the job finish first.
func hintBusy(call *session, err error) string {
	return call.here("drain", "--name", refusalOf(err).Name) + " && " + again(call.arguments)
}

// hintAsItIs asks for what the runner has already, and cannot have otherwise.
func hintAsItIs(option string) func(*session, error) string {
	return func(call *session, err error) string { return againWith(call, option, refusalOf(err).Detail) }
}

// hintElsewhere shows the containers that a process may be in.
const hintElsewhere = "lsns --type pid"

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

// hintUnfilled waits for a cloud that is late, else takes a name that needs none.
func hintUnfilled(call *session, err error) string {
	if errors.Is(err, metadata.ErrNoAnswer) {
		return againWith(call, "--metadata-wait", "5m")
	}
	return againWith(call, "--name", "{hostname}-{random}")
}

// hintNotInService has the agent register the runner: it needs a credential that it finds by itself.
func hintNotInService(call *session, err error) string {
	if optionsOf[credentialOptions](call).tokenFile == "-" || !call.issued.registration.Empty() {
		return again(call.arguments, "--token-file", "FILE")
	}
	return same(call, err)
}

// hintAtWork lets a supervisor end that was started by hand: its job may finish.
func hintAtWork(call *session, err error) string {
	pid, here := strings.CutPrefix(refusalOf(err).Detail, "process ")
	if !here {
		return hintElsewhere
	}
	return "kill -TERM " + pid + " && " + again(call.arguments)
}

// hintAccount takes the account that is made for jobs.
func hintAccount(call *session, _ error) string {
	return againWith(call, "--user", plan.DefaultUser)
}

// hintNoAccount creates the account where that can help: a name of a directory is none
// that could be made here.
func hintNoAccount(call *session, err error) string {
	var unknown *account.LookupError
	switch {
	case firstOf(call.arguments...) != "install" || !errors.As(err, &unknown):
		return "runner-bootstrap status"
	case account.Creatable(unknown.Name):
		return againWith(call, "--create-user")
	}
	return hintAskAccount(call, err)
}

// hintAskAccount asks the system what it knows of an account.
func hintAskAccount(_ *session, err error) string {
	var unknown *account.LookupError
	if !errors.As(err, &unknown) || unknown.Name == "" {
		return "getent passwd"
	}
	if strings.HasPrefix(unknown.Name, "-") {
		return shellWords([]string{"getent", "--", "passwd", unknown.Name})
	}
	return shellWords([]string{"getent", "passwd", unknown.Name})
}

// hintCreate does by hand what useradd would not do for us: a group of the account's
// name may be somebody's, so whether the account may be in it is not for us to say.
func hintCreate(call *session, err error) string {
	var refused *account.CreateError
	switch {
	case !errors.As(err, &refused):
		return hintAccount(call, err)
	case refused.Taken:
		return shellWords([]string{"sudo", "useradd", "--system", "--create-home", "--gid", refused.Name, refused.Name})
	}
	return shellWords([]string{"sudo", "useradd", "--system", "--create-home", refused.Name})
}

func hintUnreachable(_ *session, err error) string {
	return shellWords([]string{"chmod", "a+rx", refusalOf(err).Name})
}

// hintWork mends the folder for jobs, or names another one. What a just-in-time
// configuration says can be said by another one alone.
func hintWork(call *session, err error) string {
	var work *places.WorkError
	switch {
	case !errors.As(err, &work):
		return againWith(call, "--work", "_work")
	case work.Command != "":
		return "sudo " + work.Command
	case optionsOf[issuedOptions](call).jitConfigFile != "":
		return hintJITConfig(call, err)
	case work.Reregister:
		return again(without(call.arguments, []string{"--work", ""}), "--work", work.Instead, "--replace")
	}
	return againWith(call, "--work", work.Instead)
}

// hintRemount mounts the file system so that it can be used.
func hintRemount(_ *session, err error) string {
	var place *places.Error
	if !errors.As(err, &place) {
		return "findmnt"
	}
	return "sudo " + places.RemountFix(place)
}

// hintMounted unmounts what is in the way, and goes on from there.
func hintMounted(call *session, err error) string {
	var mounted *removal.MountedError
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !errors.As(err, &mounted) || strings.ContainsFunc(strings.Join(mounted.Points, ""), unprintable) {
		return "findmnt" // nobody should paste such a name
	}
	return "sudo " + shellWords(append([]string{"umount"}, mounted.Points...)) + " && " + asRoot(call, err)
}

// hintForeignDir makes room, but not where somebody's runner is: it may be at work.
func hintForeignDir(call *session, err error) string {
	dir := refusalOf(err).Name
	if _, err := os.Lstat(filepath.Join(dir, ".runner")); err == nil {
		return againWith(call, "--name", "OTHER")
	}
	return shellWords([]string{"mv", dir, dir + ".old"})
}

func hintForeignService(_ *session, err error) string {
	return shellWords(svc.ShowDescription(refusalOf(err).Name))
}

// hintOutdated offers the version that GitHub offers.
func hintOutdated(call *session, err error) string {
	version := refusalOf(err).Name
	if version == "" {
		version = "VERSION"
	}
	return againWith(call, "--runner-version", version)
}

func hintTemporary(_ *session, err error) string {
	program := refusalOf(err).Name
	return shellWords([]string{"sudo", "install", "-m", "755", program, installedAs()})
}

// hintLibraries names the script of the copy in the cache: nobody is told to run as root what jobs can change.
func hintLibraries(call *session, err error) string {
	cache := download.Cache{Dir: instance.DefaultPaths(optionsOf[placeOptions](call).dir).Cache}
	entries, cacheErr := cache.Entries()
	if cacheErr != nil || len(entries) == 0 {
		return hintDoctor(call, err)
	}
	return "sudo " + shellWords([]string{filepath.Join(entries[0].Tree(), "bin", "installdependencies.sh")})
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
	return shellWords(words)
}

func hintToken(call *session, _ error) string {
	return call.gh("auth", "token") + " | " + againWith(call, "--token-file", "-")
}

// gh is GitHub's own program, which speaks to github.com unless it is told of another host.
func (call *session) gh(words ...string) string {
	words = append([]string{"gh"}, words...)
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil {
		return shellWords(words)
	}
	return shellWords(append(words, elsewhere(scope)...))
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
	if firstOf(call.arguments...) == "install" {
		return againWith(call, "--name", "{hostname}")
	}
	return call.here("status")
}

// hintMoved asks under which name the scope is known today.
func hintMoved(call *session, _ error) string {
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil || scope.Kind != github.Repository {
		return again(call.arguments)
	}
	return shellWords([]string{"gh", "repo", "view", scope.URL(), "--json", "url"})
}

func hintLimit(call *session, err error) string {
	var refused *github.Error
	if errors.As(err, &refused) && !refused.Reset.IsZero() {
		seconds := int(time.Until(refused.Reset).Seconds()) + 1
		return fmt.Sprintf("sleep %d; %s", max(1, seconds), again(call.arguments))
	}
	return call.gh("api", "rate_limit")
}

func hintNotGitHub(call *session, _ error) string {
	scope, err := optionsOf[scopeOptions](call).parse()
	if err != nil {
		return again(call.arguments)
	}
	return shellWords([]string{"curl", "-sS", scope.API() + "/meta"})
}

func hintLog(call *session, err error) string {
	var start *bootstrap.StartError
	if errors.As(err, &start) {
		if hint := call.hintWords(start); hint != "" {
			return hint
		}
		return shellWords(svc.ShowLog(start.Service))
	}
	var refused *svc.Error
	if errors.As(err, &refused) {
		return shellWords(svc.ShowState(refused))
	}
	return shellWords(svc.ShowFailed())
}

// hintWords mends what a listener has said before it ended; empty where that is not
// known to be mended by anything.
func (call *session) hintWords(start *bootstrap.StartError) string {
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
		return shellWords([]string{"sudo", "-u", start.User, filepath.Join(start.Dir, "bin", "Runner.Listener"), "--version"})
	default:
		return ""
	}
}

// hintStart starts what nothing supervises.
func hintStart(call *session, err error) string {
	return call.here("run", "--name", refusalOf(err).Name)
}

// hintCertificate names another file, or leaves a variable out: --ca-file takes the
// place of SSL_CERT_FILE alone, and neither that of what --env says.
func hintCertificate(call *session, err error) string {
	text := err.Error()
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"} {
		switch {
		case !strings.Contains(text, "("+name+")"):
		case slices.ContainsFunc(optionsOf[registrationOptions](call).env, func(v string) bool { return strings.HasPrefix(v, name+"=") }):
			return again(call.arguments) // with VALUE in the place of what was wrong
		case name != "SSL_CERT_FILE":
			return "env -u " + name + " " + again(call.arguments)
		}
	}
	return againWith(call, "--ca-file", "FILE")
}

// hintTrust puts certificates where jobs can read them. They are no secret; the folder
// that they lie in may hold some.
func hintTrust(call *session, err error) string {
	from := refusalOf(err).Name
	to := filepath.Join("/etc/runner-bootstrap", filepath.Base(from))
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		return shellWords([]string{"sudo", "sh", "-c", `install -d -m 755 "$1" && install -m 644 "$0"/* "$1"`, from, to}) +
			" && SSL_CERT_DIR=" + shellWords([]string{to}) + " " + again(call.arguments)
	}
	return shellWords([]string{"sudo", "install", "-D", "-m", "644", from, to}) + " && " + againWith(call, "--ca-file", to)
}

// hintPrivateTemp puts a file where a service finds it.
func hintPrivateTemp(_ *session, err error) string {
	file := refusalOf(err).Name
	return shellWords([]string{"sudo", "install", "-D", "-m", "600", file, filepath.Join("/etc/runner-bootstrap", filepath.Base(file))})
}
