package libraries

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"
)

var (
	// ErrNoPackages means that this host's libraries are not installed by a package manager that we know.
	ErrNoPackages = errors.New("no package manager that is known here")
	// ErrInstall means that the package manager failed.
	ErrInstall = errors.New("the package manager has failed")
	// ErrInterrupted means that packages are half installed since earlier, and that dpkg could not finish them.
	ErrInterrupted = errors.New("an earlier installation of packages was interrupted")
)

const (
	lockPause = time.Second
	// lockShare is which part of the time that is left the lock of the package database is waited for: after it, the
	// packages are to be fetched.
	lockShare = 4
)

// Install installs libraries with the package manager of this host's distribution; environment ("KEY=VALUE": proxies) is for
// it, and say is told each command before it is run. It may be repeated, and needs root. [ErrPackagesLocked] if somebody used
// the package database all the time, [ErrNoPackages], [ErrInstall], [ErrInterrupted]; what was installed until then stays.
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
