package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func hintLocked(call *session, err error) string {
	var locked *instance.LockedError
	switch {
	case !errors.As(err, &locked), locked.Holder.None():
	case locked.Holder.Elsewhere():
		return showProcesses(on(call))
	default:
		return on(call).Do(shell.ShowProcess, strconv.Itoa(locked.Holder.PID))
	}
	return call.here("status")
}

// hintUnfilled waits for a cloud that is late, else takes a name that needs none.
func hintUnfilled(call *session, err error) string {
	if errors.Is(err, metadata.ErrNoAnswer) && !errors.Is(err, metadata.ErrClosed) {
		return againWith(call, "--metadata-wait", "5m")
	}
	return againWith(call, "--name", "{hostname}-{random}")
}

// hintNoFacts does without the facts of a cloud that were required: labels that need one are left out then, but no name can be
// made without.
func hintNoFacts(call *session, _ error) string {
	if !plan.NeedsCloud(optionsOf[nameOptions](call).name) {
		return againWith(call, "--metadata", "auto")
	}
	bare := *call
	bare.arguments = leaving(call.arguments, "--metadata", "--name")
	return againWith(&bare, "--metadata", "auto", "--name", "{hostname}")
}

// hintNotInService has the agent register the runner: it needs a credential that it finds by itself.
func hintNotInService(call *session, err error) string {
	if optionsOf[credentialOptions](call).tokenFile == "-" || !call.issued.registration.Empty() {
		return again(call, call.arguments, "--token-file", "FILE")
	}
	return same(call, err)
}

// hintAtWork lets a supervisor end that was started by hand: its job may finish.
func hintAtWork(call *session, err error) string {
	pid, here := strings.CutPrefix(refusalOf(err).Detail, "process ")
	if !here {
		return showProcesses(on(call))
	}
	end := on(call).Do(shell.EndProcess, pid)
	if end == "" {
		return on(call).Do(shell.ShowProcess, pid)
	}
	return on(call).Both(end, again(call, call.arguments))
}

// hintWork mends the folder for jobs, or names another one. What a just-in-time
// configuration says can be said by another one alone.
func hintWork(call *session, err error) string {
	var work *places.WorkError
	switch {
	case !errors.As(err, &work):
		return againWith(call, "--work", "_work")
	case work.Command != "":
		return on(call).Mend(work.Command)
	case optionsOf[issuedOptions](call).jitConfigFile != "":
		return hintJITConfig(call, err)
	case work.Reregister:
		return again(call, without(call.arguments, []string{"--work", ""}), "--work", work.Instead, "--replace")
	}
	return againWith(call, "--work", work.Instead)
}

// hintRemount mounts the file system so that it can be used.
func hintRemount(call *session, err error) string {
	var place *places.Error
	if !errors.As(err, &place) {
		return on(call).Do(shell.ShowMounts)
	}
	if on(call).Do(shell.Remount) == "" {
		return againWith(call, "--dir", "DIR")
	}
	return on(call).Mend(places.RemountFix(place))
}

// hintMounted unmounts what is in the way, and goes on from there.
func hintMounted(call *session, err error) string {
	var mounted *removal.MountedError
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !errors.As(err, &mounted) || strings.ContainsFunc(strings.Join(mounted.Points, ""), unprintable) {
		return on(call).Do(shell.ShowMounts) // nobody should paste such a name
	}
	if on(call).Do(shell.Mount) == "" {
		return on(call).Do(shell.ShowMounts)
	}
	return on(call).Both(on(call).Mend(on(call).Words(append([]string{"umount"}, mounted.Points...)...)), asRoot(call, err))
}

// hintImmutable lets what is in the way be removed, and goes on from there.
func hintImmutable(call *session, err error) string {
	var immutable *removal.ImmutableError
	if !errors.As(err, &immutable) || strings.ContainsFunc(immutable.Path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return same(call, err) // nobody should paste such a name
	}
	return on(call).Both(on(call).Mend(on(call).Words("chattr", "-R", "-i", "-a", immutable.Path)), asRoot(call, err))
}

// hintForeignDir makes room, but not where somebody's runner is: it may be at work.
func hintForeignDir(call *session, err error) string {
	dir := refusalOf(err).Name
	if _, err := os.Lstat(filepath.Join(dir, ".runner")); err == nil {
		return againWith(call, "--name", "OTHER")
	}
	return on(call).Do(shell.MoveAway, dir, dir+".old")
}

func hintForeignService(call *session, err error) string {
	if strings.HasSuffix(refusalOf(err).Detail, " left alone") {
		return againWith(call, "--name", "OTHER")
	}
	return on(call).Words(svc.ShowDescription(refusalOf(err).Name)...)
}

func hintTemporary(call *session, err error) string {
	return on(call).Do(shell.PutProgram, refusalOf(err).Name)
}

// hintUnfit has the program put elsewhere where nothing else about a service is wrong.
func hintUnfit(call *session, err error) string {
	if unfit := (*svc.UnfitError)(nil); errors.As(err, &unfit) && unfit.Program != "" {
		return on(call).Do(shell.PutProgram, unfit.Program)
	}
	return plus("--no-service")(call, err)
}

// hintLibraries names the script of the copy in the cache: nobody is told to run as root what jobs can change.
func hintLibraries(call *session, err error) string {
	cache := download.Cache{Dir: instance.DefaultPaths(optionsOf[placeOptions](call).dir).Cache}
	entries, cacheErr := cache.Entries()
	if cacheErr != nil || len(entries) == 0 {
		return hintDoctor(call, err)
	}
	return on(call).Mend(on(call).Words(filepath.Join(entries[0].Tree(), "bin", "installdependencies.sh")))
}

// hintSpace shows the room, and the number of files, that a full file system has; the kernel does not say which it lacks.
func hintSpace(call *session, _ error) string {
	s := on(call)
	if s.Then == "" {
		return s.Do(shell.ShowSpace, filepath.VolumeName(instance.DefaultPaths(optionsOf[placeOptions](call).dir).State))
	}
	return "df -h && df -i"
}
