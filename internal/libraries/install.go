package libraries

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

var (
	// ErrNoPackages means that this host's libraries are not installed by a package manager that we know.
	ErrNoPackages = errors.New("no package manager that is known here")
	// ErrInstall means that the package manager failed.
	ErrInstall = errors.New("the package manager has failed")
)

const (
	lockPause = time.Second
	// lockShare is which part of the time that is left the lock of the package database is waited for: after it, the
	// packages are to be fetched.
	lockShare = 4
	// outputKept is how much of what a package manager says is repeated.
	outputKept = 4 << 10
	// outputTime is how long what a package manager has left behind may hold its output.
	outputTime = 10 * time.Second
)

// Install installs libraries with the package manager of this host's distribution; environment ("KEY=VALUE": proxies) is for
// it, and say is told each command before it is run. It may be repeated, and needs root. [ErrPackagesLocked] if somebody used
// the package database all the time, [ErrNoPackages], [ErrInstall]; what was installed until then stays.
func Install(ctx context.Context, wanted []Library, environment []string, say func(string)) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("installing libraries: %w", ErrNoPackages)
	}
	family, err := packagesOf("/")
	if err != nil {
		return fmt.Errorf("installing %s: %w", Names(wanted), err)
	}
	if err := waitForPackages(ctx, say); err != nil {
		return fmt.Errorf("installing %s: %w", Names(wanted), err)
	}
	if err := family.install(ctx, runner{environment, say}, wanted); err != nil {
		return fmt.Errorf("installing %s: %w", Names(wanted), err)
	}
	return nil
}

// Beside are the known libraries that are missing, without those that are wanted already.
func (e *MissingError) Beside(wanted []Library) []Library {
	var more []Library
	for _, known := range opened() {
		if slices.ContainsFunc(wanted, func(l Library) bool { return l.Name == known.Name }) {
			continue
		}
		names := append(slices.Concat(known.choices...), known.Name)
		if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(e.Names, name) }) {
			more = append(more, known)
		}
	}
	return more
}

// waitForPackages waits until nobody uses the package database, and tells who does.
func waitForPackages(ctx context.Context, say func(string)) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/lockShare)
		defer cancel()
	}
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	told := ""
	for {
		err := Held()
		var held *HeldError
		if !errors.As(err, &held) {
			return nil
		}
		if text := "waiting for " + held.Holder() + ", which holds " + held.File; text != told {
			say(text)
			told = text
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return err
		case <-tick.C:
		}
	}
}

// runner runs commands of a package manager.
type runner struct {
	environment []string
	say         func(string)
}

// run runs a command without a question to anybody; its output is kept for a failure. Between two commands somebody else,
// such as the first update of a new machine, may take a lock that the next one needs: that is waited for.
func (r runner) run(ctx context.Context, words ...string) (string, error) {
	for {
		text, err := r.once(ctx, words...)
		if err == nil || ctx.Err() != nil || !saysLocked(text) {
			return text, err
		}
		r.say("waiting for a lock that another package manager holds")
		if retry := waitForPackages(ctx, r.say); retry != nil {
			return text, err
		}
		select {
		case <-ctx.Done():
			return text, err
		case <-time.After(lockPause): // it may be one that is in no list of ours
		}
	}
}

// saysLocked knows the words of apt, dpkg, rpm and zypper for a lock that is held; dnf and yum wait by themselves.
func saysLocked(text string) bool {
	return slices.ContainsFunc([]string{
		"Could not get lock", "Unable to acquire the dpkg", "Unable to lock", "transaction lock", "System management is locked",
	}, func(words string) bool { return strings.Contains(text, words) })
}

func (r runner) once(ctx context.Context, words ...string) (string, error) {
	r.say(strings.Join(words, " "))
	cmd := exec.CommandContext(ctx, program(words[0]), words[1:]...) //nolint:gosec // the distribution's own package manager
	cmd.Env = append([]string{"PATH=" + account.SearchPath(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "HOME=/"}, r.environment...)
	cmd.WaitDelay = outputTime
	text, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		last := strings.TrimSpace(string(text[max(0, len(text)-outputKept):]))
		return last, fmt.Errorf("running %s: %w: %w:\n%s", words[0], ErrInstall, err, last)
	}
	return string(text), nil
}

// program finds a package manager where the system has it: PATH may be anything.
func program(name string) string {
	for _, dir := range strings.Split(account.SearchPath(), ":") {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path
		}
	}
	return name
}

// pickNewest returns, of names that end in a number, the one with the highest.
func pickNewest(pattern *regexp.Regexp, names []string) string {
	best, highest := "", -1
	for _, name := range names {
		found := pattern.FindStringSubmatch(name)
		if found == nil {
			continue
		}
		if number, err := strconv.Atoi(found[1]); err == nil && number > highest {
			best, highest = name, number
		}
	}
	return best
}
