package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

func newUninstall(call *session) *cobra.Command {
	return call.command("uninstall", "Remove the runner from this host and from GitHub", `
Stops the runner, removes its service, takes it away from GitHub and proves
that, and removes its files. What is gone already is done. The account that
jobs ran as and the cache of verified archives stay.`, call.withHost(call.uninstall))
}

func (call *session) uninstall(ctx context.Context, host *bootstrap.Host) error {
	names, err := call.toRemove(host.Store)
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
		failed = errors.Join(failed, call.removeOne(ctx, host, name))
	}
	return failed
}

func (call *session) removeOne(ctx context.Context, host *bootstrap.Host, name string) error {
	err := host.Uninstall(ctx, bootstrap.Removal{
		Name: name, Force: call.values.force, SkipGitHub: call.values.local, RemoveToken: call.minted.remove,
	})
	if errors.Is(err, instance.ErrUnknown) {
		call.console.summary(fmt.Sprintf("there is no runner %s on this host", name))
		return nil
	}
	if err != nil {
		return err
	}
	if host.Connect == nil || call.values.local {
		call.console.summary(fmt.Sprintf("runner %s is removed from this host; GitHub was not asked whether it still lists it", name))
		return nil
	}
	call.console.summary(fmt.Sprintf("runner %s is removed", name))
	return nil
}

func (call *session) toRemove(store *instance.Store) ([]string, error) {
	if call.values.all && call.values.name != "" {
		return nil, usagef("--all and --name exclude each other")
	}
	if !call.values.all {
		name, err := call.theRunner(store)
		if name == "" || err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
	records, err := store.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, record := range records {
		names = append(names, record.Name)
	}
	return names, nil
}
