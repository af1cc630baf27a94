package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newGroups(call *session) *cobra.Command {
	return call.family("groups", "List the runner groups of an organization or enterprise",
		call.command("list", "List the runner groups", `
Lists the runner groups of the organization or enterprise. A repository has none.`, call.withScope(call.listGroups)))
}

func (call *session) listGroups(ctx context.Context, client *github.Client) error {
	groups, err := client.Groups(ctx)
	if err != nil {
		return err
	}
	if call.values.json {
		return printJSON(call.out, groups)
	}
	return table(call.out, "ID\tNAME\tVISIBILITY\tDEFAULT\tINHERITED\tPUBLIC", func(line func(string, ...any)) {
		for _, g := range groups {
			line("%d\t%s\t%s\t%s\t%s\t%s", g.ID, g.Name, g.Visibility, yes(g.Default), yes(g.Inherited), yes(g.Public))
		}
	})
}
