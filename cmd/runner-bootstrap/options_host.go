package main

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// accountOptions say as whom jobs run on this host, and who starts their runner.
type accountOptions struct {
	user          string
	createUser    bool
	userPerRunner bool
	passwordFile  string
	noService     bool
}

func (o *accountOptions) options() []option {
	return []option{
		{
			name: "user", value: "ACCOUNT", commands: "install cloud-init doctor",
			usage: "account that runs jobs; if root installs and none is given, each runner has its own (runner, runner-2, ...), " +
				"created if absent",
			windows: `account that runs jobs: NT AUTHORITY\NetworkService, a group managed one (DOMAIN\NAME$), or another one with ` +
				"--password-file; without it each runner has a virtual account of its own, which has no password",
			text: &o.user,
		},
		{
			name: "create-user", once: true, commands: "install cloud-init",
			usage: "create the account of --user if it is absent; an account that install creates gets what --allow sudo and docker need",
			only:  exclusive{linuxAlone, "an administrator makes accounts of Windows; " + ownAccounts},
			on:    &o.createUser,
		},
		{
			name: "user-per-runner", commands: "install cloud-init",
			usage: "with --user and --count, an account for each runner: ACCOUNT-1, ACCOUNT-2, ...; see --create-user",
			only:  exclusive{linuxAlone, ownAccounts},
			on:    &o.userPerRunner,
		},
		{
			name: "password-file", once: true, value: "FILE", given: givenSecret, commands: "install",
			usage: "file with the password of --user, for an ordinary account; it is read when the service is made, and not kept",
			only:  exclusive{windowsAlone, "no account needs a password for that"},
			text:  &o.passwordFile,
		},
		{
			name: "no-service", commands: "install cloud-init doctor",
			usage: "everything but the service; start the runner with runner-bootstrap run",
			on:    &o.noService,
		},
	}
}

func (o *accountOptions) check() error {
	if runtime.GOOS == "windows" {
		return o.checkOnWindows()
	}
	if o.userPerRunner && o.noService && !account.Privileged() {
		return usagef("--user-per-runner needs root")
	}
	return nil
}

// ownAccounts is what there is on Windows for several accounts.
const ownAccounts = "without --user each runner has an account of its own"

// checkOnWindows refuses what has no sense there.
func (o *accountOptions) checkOnWindows() error {
	switch {
	case o.passwordFile != "" && o.user == "":
		return usagef("--password-file needs --user")
	case o.user != "" && o.noService && account.Privileged():
		return usagef("--user needs the service: without one, jobs run as you")
	}
	return nil
}

// placeOptions say where everything is kept.
type placeOptions struct{ dir string }

func (o *placeOptions) options() []option {
	return []option{{
		name: "dir", once: true, value: "DIR", given: givenKept, commands: everyCommand,
		usage:   "keep everything below this directory; needs no root if it is yours",
		windows: "keep everything below this directory; needs no administrator if it is yours",
		text:    &o.dir,
	}}
}

// absolute is --dir as an absolute path; empty without it.
func (o *placeOptions) absolute() (string, error) {
	if o.dir == "" {
		return "", nil
	}
	absolute, err := filepath.Abs(o.dir)
	if err != nil {
		return "", usagef("--dir: %v", err)
	}
	if info, err := os.Stat(absolute); err == nil && !info.IsDir() {
		return "", usagef("--dir: %s is no folder", absolute)
	}
	return absolute, nil
}
