package main

import (
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// accountOptions say as whom jobs run on this host, and who starts their runner.
type accountOptions struct {
	user          string
	createUser    bool
	userPerRunner bool
	noService     bool
}

func (o *accountOptions) options() []option {
	return []option{
		{
			name: "user", value: "ACCOUNT", commands: "install cloud-init doctor",
			usage: "unprivileged account that runs jobs; as root one for each runner (runner, runner-2, ...), made if absent",
			text:  &o.user,
		},
		{
			name: "create-user", once: true, commands: "install cloud-init",
			usage: "create the account named by --user if it is absent",
			on:    &o.createUser,
		},
		{
			name: "user-per-runner", commands: "install cloud-init",
			usage: "with --user and --count, an account for each runner: ACCOUNT-1, ACCOUNT-2, ...; see --create-user",
			on:    &o.userPerRunner,
		},
		{
			name: "no-service", commands: "install cloud-init doctor",
			usage: "everything but the service; start the runner with runner-bootstrap run",
			on:    &o.noService,
		},
	}
}

func (o *accountOptions) check() error {
	switch {
	case o.createUser && o.user == "":
		return usagef("--create-user needs --user")
	case o.userPerRunner && o.noService && !account.Privileged():
		return usagef("--user-per-runner needs root")
	}
	return nil
}

// placeOptions say where everything is kept.
type placeOptions struct{ dir string }

func (o *placeOptions) options() []option {
	return []option{{
		name: "dir", once: true, value: "DIR", given: givenKept, commands: everyCommand,
		usage: "keep everything below this directory; needs no root if it is yours",
		text:  &o.dir,
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
	return absolute, nil
}
