package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func refusalOf(err error) bootstrap.RefusedError {
	var refusal *bootstrap.RefusedError
	if errors.As(err, &refusal) {
		return *refusal
	}
	return bootstrap.RefusedError{}
}

func (call *session) here(words ...string) string {
	words = append([]string{"runner-bootstrap"}, words...)
	if call.values.dir != "" {
		words = append(words, "--dir", call.values.dir)
	}
	return shellWords(words)
}

func hintUnhealthy(call *session, err error) string {
	var sick *sickError
	if errors.As(err, &sick) {
		return sick.fix
	}
	var unwell *unwellError
	if errors.As(err, &unwell) {
		return call.hintUnwell(unwell.Status)
	}
	return call.here("status") // there is no runner of that name
}

// hintUnwell brings a runner back, or shows what is wrong with it. It never takes
// one away that may be well again in a moment.
func (call *session) hintUnwell(s bootstrap.Status) string {
	_, gone := os.Stat(s.Dir)
	late := doctor.Unmounted(s.Dir)
	switch {
	case s.Phase == instance.Removing:
		return call.here("uninstall", "--name", s.Name)
	case late != "":
		return shellWords([]string{"sudo", "mount", late})
	case s.Phase != instance.Installed, errors.Is(gone, fs.ErrNotExist), s.GitHub.State == bootstrap.GitHubAbsent:
		words := []string{"install", "--url", s.ScopeURL, "--name", s.Name, "--token-file", "FILE"}
		if s.Service.Name == "" {
			words = append(words, "--no-service")
		}
		return call.here(words...)
	case s.Service.Name == "" && s.Listener.PID == 0:
		return call.here("run", "--name", s.Name)
	case s.Service.Name == "":
		return call.here("status", "--name", s.Name, "--json")
	case s.Service.State == string(svc.Failed), s.Service.State == string(svc.Stopped):
		return shellWords([]string{"sudo", "systemctl", "restart", s.Service.Name})
	}
	return shellWords([]string{"journalctl", "--no-pager", "-u", s.Service.Name})
}

func hintUninstall(call *session, err error) string {
	name := refusalOf(err).Name
	if name == "" {
		return call.here("uninstall", "--token-file", "FILE")
	}
	return call.here("uninstall", "--name", name, "--token-file", "FILE")
}

// hintNotClean takes the runner away, or shows what was found; whether it can go is
// not for us to say.
func hintNotClean(call *session, err error) string {
	if refusalOf(err).Name != "" {
		return call.here("uninstall", "--all", "--token-file", "FILE")
	}
	file, _, _ := strings.Cut(refusalOf(err).Detail, " (")
	return shellWords([]string{"ls", "-ld", file})
}

func hintLocked(_ *session, err error) string {
	var locked *instance.LockedError
	if errors.As(err, &locked) && locked.PID != 0 {
		return fmt.Sprintf("ps -fp %d", locked.PID)
	}
	return "runner-bootstrap status"
}

func hintAccount(call *session, err error) string {
	if refusal := refusalOf(err); refusal.Detail != "" && strings.Contains(refusal.Detail, "no such account") {
		return again(call.arguments, "--create-user")
	}
	return again(call.arguments, "--user", bootstrap.DefaultUser)
}

func hintUnreachable(_ *session, err error) string {
	return shellWords([]string{"chmod", "a+rx", refusalOf(err).Name})
}

// hintWork mends the folder for jobs, or names another one. What a just-in-time
// configuration says can be said by another one alone.
func hintWork(call *session, err error) string {
	var work *doctor.WorkError
	switch {
	case !errors.As(err, &work):
		return again(call.arguments, "--work", "_work")
	case work.Command != "":
		return "sudo " + work.Command
	case call.values.jitConfigFile != "":
		return hintJITConfig(call, err)
	case work.Anew:
		return again(without(call.arguments, []string{"--work", ""}), "--work", work.Instead, "--replace")
	}
	return again(call.arguments, "--work", work.Instead)
}

// hintRemount mounts the file system so that it can be used.
func hintRemount(_ *session, err error) string {
	var place *doctor.PlaceError
	if !errors.As(err, &place) {
		return "findmnt"
	}
	return "sudo " + doctor.RemountFix(place)
}

func hintForeignDir(_ *session, err error) string {
	dir := refusalOf(err).Name
	return shellWords([]string{"mv", dir, dir + ".old"})
}

func hintForeignService(_ *session, err error) string {
	return shellWords([]string{"systemctl", "cat", "--no-pager", refusalOf(err).Name + ".service"})
}

// hintForeign only looks: what belongs to a stranger is not ours to remove.
func hintForeign(call *session, err error) string {
	return call.here("status", "--name", refusalOf(err).Name)
}

// hintOutdated offers the version that GitHub offers.
func hintOutdated(call *session, err error) string {
	version := refusalOf(err).Name
	if version == "" {
		version = "VERSION"
	}
	return again(call.arguments, "--runner-version", version)
}

func hintAbsent(call *session, _ error) string {
	if call.values.archive != "" {
		return shellWords([]string{"ls", "-l", filepath.Dir(call.values.archive)})
	}
	return call.here("cache", "list")
}

func hintDamaged(call *session, _ error) string { return call.here("cache", "prune", "--keep", "0") }

func hintTemporary(_ *session, err error) string {
	program := refusalOf(err).Name
	return shellWords([]string{"sudo", "install", "-m", "755", program, installedAs()})
}

func hintLibraries(call *session, _ error) string {
	root := instance.DefaultPaths(call.values.dir).Root("NAME")
	if call.values.name != "" {
		root = instance.DefaultPaths(call.values.dir).Root(call.values.name)
	}
	return "sudo " + shellWords([]string{filepath.Join(root, "bin", "installdependencies.sh")})
}

// hintDoctor installs what is missing.
func hintDoctor(call *session, _ error) string { return underSudo(call.here("doctor", "--fix")) }

// hintLabels says where labels are given.
func hintLabels(call *session, _ error) string {
	if firstOf(call.arguments...) == "labels" {
		return "runner-bootstrap labels --help"
	}
	return again(call.arguments, "--labels", "LABEL,LABEL")
}

func hintRunners(call *session, _ error) string { return call.atScope("runners", "list") }

func hintDownloads(call *session, _ error) string { return call.atScope("downloads") }

func hintGroups(call *session, _ error) string { return call.atScope("groups", "list") }

// atScope is another command about the same scope.
func (call *session) atScope(words ...string) string {
	words = append([]string{"runner-bootstrap"}, words...)
	if call.values.url != "" {
		words = append(words, "--url", call.values.url)
	}
	if call.values.tokenFile != "" {
		words = append(words, "--token-file", call.values.tokenFile)
	}
	return shellWords(words)
}

func hintToken(call *session, _ error) string {
	return "gh auth token | " + again(call.arguments, "--token-file", "-")
}

// hintEphemeral does on an old server what a just-in-time configuration does.
func hintEphemeral(call *session, _ error) string {
	return call.atScope("install", "--ephemeral")
}

// hintJITConfig makes another one, where there is a credential.
func hintJITConfig(call *session, _ error) string {
	return call.atScope("jitconfig", "--name", "NAME") + " >FILE"
}

func hintName(call *session, _ error) string {
	if firstOf(call.arguments...) == "install" {
		return again(call.arguments, "--name", "{hostname}")
	}
	return call.here("status")
}

// hintMoved asks under which name the scope is known today.
func hintMoved(call *session, _ error) string {
	scope, err := github.ParseScope(call.values.url, call.values.apiURL)
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
	return "gh api rate_limit"
}

func hintNotGitHub(call *session, _ error) string {
	scope, err := github.ParseScope(call.values.url, call.values.apiURL)
	if err != nil {
		return again(call.arguments)
	}
	return shellWords([]string{"curl", "-sS", scope.API() + "/meta"})
}

func hintLog(_ *session, err error) string {
	var start *bootstrap.StartError
	if errors.As(err, &start) {
		return shellWords([]string{"journalctl", "--no-pager", "-u", start.Service})
	}
	var refused *svc.Error
	if errors.As(err, &refused) {
		return shellWords([]string{"systemctl", "status", "--no-pager", refused.Unit})
	}
	return "systemctl --failed"
}

// hintStart starts what nothing supervises.
func hintStart(call *session, err error) string {
	return call.here("run", "--name", refusalOf(err).Name)
}

// hintPrivateTemp puts a file where a service finds it.
func hintPrivateTemp(_ *session, err error) string {
	file := refusalOf(err).Name
	return shellWords([]string{"sudo", "install", "-D", "-m", "600", file, filepath.Join("/etc/runner-bootstrap", filepath.Base(file))})
}
