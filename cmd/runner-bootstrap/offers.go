package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
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

func newDownloads(call *session) *cobra.Command {
	return call.command("downloads", "List the runners that GitHub offers", `
Lists the runner archives on offer, one for each platform. The one that this host
would take is marked.`, call.withScope(call.listDownloads))
}

// offered is one archive on offer, as --json shows it.
type offered struct {
	OS       string `json:"os"`
	Arch     string `json:"architecture"`
	Version  string `json:"version"`
	Filename string `json:"filename"`
	URL      string `json:"download_url"`
	SHA256   string `json:"sha256,omitempty"`
	ThisHost bool   `json:"this_host"`
}

func (call *session) listDownloads(ctx context.Context, client *github.Client) error {
	applications, err := client.Applications(ctx)
	if err != nil {
		return err
	}
	host, _ := download.Host() // a host without a runner of its own may look as well
	all := make([]offered, 0, len(applications))
	for _, a := range applications {
		_, version, _ := download.ParseFilename(a.Filename)
		all = append(all, offered{
			OS: a.OS, Arch: a.Architecture, Version: version, Filename: a.Filename, URL: a.DownloadURL, SHA256: a.SHA256,
			ThisHost: host == download.Platform{OS: a.OS, Arch: a.Architecture},
		})
	}
	if call.values.json {
		return printJSON(call.out, all)
	}
	return table(call.out, "\tPLATFORM\tVERSION\tSHA-256\tFILE", func(line func(string, ...any)) {
		for _, a := range all {
			mark := ""
			if a.ThisHost {
				mark = "*"
			}
			line("%s\t%s-%s\t%s\t%s\t%s", mark, a.OS, a.Arch, firstOf(a.Version, "-"), firstOf(a.SHA256, "-"), a.Filename)
		}
	})
}

func newToken(call *session) *cobra.Command {
	mint := func(ask func(*github.Client, context.Context) (github.Token, error)) func(context.Context) error {
		return call.withScope(func(ctx context.Context, client *github.Client) error {
			token, err := ask(client, ctx)
			if err != nil {
				return err
			}
			return call.printToken(token)
		})
	}
	return call.family("token", "Mint a registration or remove token",
		call.command("registration", "Mint a token that registers runners for an hour", `
Prints the token, and nothing else, to standard output: for controllers and
scripts. With --json it comes with the time of its end.`, mint((*github.Client).RegistrationToken)),
		call.command("remove", "Mint a token that removes runners for an hour", `
Prints the token, and nothing else, to standard output. With --json it comes with
the time of its end.`, mint((*github.Client).RemoveToken)))
}

func (call *session) printToken(token github.Token) error {
	if call.values.json {
		return printJSON(call.out, map[string]any{"token": token.Value.Reveal(), "expires_at": token.Expires.UTC().Format(time.RFC3339)})
	}
	_, err := fmt.Fprintln(call.out, token.Value.Reveal())
	return err
}

func newJITConfig(call *session) *cobra.Command {
	return call.command("jitconfig", "Register an ephemeral runner and print its configuration", `
Registers a runner for one job and prints its just-in-time configuration, and
nothing else, to standard output: for controllers that hand it to a host, which
then needs no credential. It can be had only once. If the name is taken by a runner
that never connected, the new one gets a suffix.`, call.withScope(call.makeJITConfig))
}

func (call *session) makeJITConfig(ctx context.Context, client *github.Client) error {
	o := call.values
	if o.name == "" {
		return usagef("--name is missing: what shall the runner be called?")
	}
	if err := o.checkIdentity(client.Scope()); err != nil {
		return err
	}
	labels := o.labels
	if !o.noDefaultLabels {
		labels = append([]string{"self-hosted"}, labels...)
	}
	group, err := client.GroupID(ctx, o.runnergroup)
	if err != nil {
		return err
	}
	made, err := client.JITConfig(ctx, github.JITRequest{Name: o.name, GroupID: group, Labels: github.Distinct(labels), WorkFolder: o.workFolder()})
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(call.out, map[string]any{"runner": made.Runner, "encoded_jit_config": made.Config.Reveal()})
	}
	_, err = fmt.Fprintln(call.out, made.Config.Reveal())
	return err
}
