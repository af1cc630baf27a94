package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// uninstallOptions are what uninstall takes.
type uninstallOptions struct {
	credential credentialOptions
	issued     issuedOptions
	name       nameOptions
	place      placeOptions
	network    networkOptions
	every      everyOptions
	removal    removalOptions
	call       callOptions
}

func (o *uninstallOptions) groups() []group {
	return []group{&o.credential, &o.issued, &o.name, &o.place, &o.network, &o.every, &o.removal, &o.call}
}

// removalOptions say what is removed, and at what price.
type removalOptions struct {
	force      bool
	skipGitHub bool
}

func (o *removalOptions) options() []option {
	return []option{
		{
			name: "force", commands: "uninstall",
			usage: "remove even if a job is running",
			on:    &o.force,
		},
		{
			name: "local", commands: "uninstall",
			usage: "do not ask GitHub, which still lists the runner then; for a repository or organization that was deleted",
			on:    &o.skipGitHub,
		},
	}
}

func newUninstall(call *session) *cobra.Command {
	o := &uninstallOptions{}
	return call.command("uninstall", "Remove the runner from this host and from GitHub", `
Stops the runner, removes its service, removes it from GitHub and checks there
that it is gone, and removes its files. Already absent is not an error. The
account that jobs ran as and the cache of verified archives stay. Without a
credential it asks for one at a terminal. On a copy of the machine that the
runner was installed on, it removes only what is on the copy: GitHub is not told.`, o.groups(), call.withHost(bind(call, o, runUninstall)))
}

func runUninstall(ctx context.Context, call *session, host *bootstrap.Host, o *uninstallOptions) error {
	names, err := chosenRunners(call, host.Store, o.name.name, o.every)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if err := host.Tidy(ctx); err != nil {
			return err
		}
		call.console.summary("there is no runner on this host")
		return nil
	}
	var failed error
	for _, name := range names {
		failed = errors.Join(failed, uninstallOne(ctx, call, host, bootstrap.Removal{
			Name: name, Force: o.removal.force, SkipGitHub: o.removal.skipGitHub, RemoveToken: call.issued.remove,
		}))
	}
	return failed
}

// uninstallOne removes one runner; that it is gone already is told and no error.
func uninstallOne(ctx context.Context, call *session, host *bootstrap.Host, removal bootstrap.Removal) error {
	copied := copied(ctx, host, removal.Name)
	err := host.Uninstall(ctx, removal)
	if errors.Is(err, instance.ErrUnknown) {
		call.console.summary(fmt.Sprintf("there is no runner %s on this host", removal.Name))
		return nil
	}
	if err != nil {
		return err
	}
	if copied {
		call.console.summary(leftToTheOther(removal.Name))
		return nil
	}
	if host.Connect == nil || removal.SkipGitHub {
		call.console.summary(fmt.Sprintf(
			"runner %s is removed from this host; GitHub was not asked whether it still lists it", removal.Name))
		return nil
	}
	call.console.summary(fmt.Sprintf("runner %s is removed", removal.Name))
	return nil
}

func hintUninstall(call *session, err error) string {
	name := refusalOf(err).Name
	if name == "" {
		return call.here("uninstall", "--token-file", "FILE")
	}
	return call.here("uninstall", "--name", name, "--token-file", "FILE")
}
