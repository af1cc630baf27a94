package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

func newGroups(call *session) *cobra.Command {
	o := &gitHubOptions{}
	return family("groups", "List the runner groups of an organization or enterprise",
		call.command("list", "List the runner groups", `
Lists the runner groups of the organization or enterprise. A repository has none.`, o.groups(), call.withScope(bind(call, o, listGroups))))
}

func listGroups(ctx context.Context, call *session, client *github.Client, o *gitHubOptions) error {
	groups, err := client.Groups(ctx)
	if err != nil {
		return err
	}
	if o.output.json {
		return printJSON(call.out, groups)
	}
	return terminal.Table(call.out, "ID\tNAME\tVISIBILITY\tDEFAULT\tINHERITED\tPUBLIC", func(line func(string, ...any)) {
		for _, g := range groups {
			line("%d\t%s\t%s\t%s\t%s\t%s", g.ID, g.Name, g.Visibility, yes(g.Default), yes(g.Inherited), yes(g.Public))
		}
	})
}

func hintGroups(call *session, _ error) string { return call.atScope("groups", "list") }
