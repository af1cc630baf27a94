package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// jitConfigOptions are what jitconfig takes.
type jitConfigOptions struct {
	gitHub   gitHubOptions
	name     nameOptions
	identity identityOptions
}

func (o *jitConfigOptions) groups() []group { return append(o.gitHub.groups(), &o.name, &o.identity) }

func newJITConfig(call *session) *cobra.Command {
	o := &jitConfigOptions{}
	return call.command("jitconfig", "Register an ephemeral runner and print its configuration", `
Registers a runner for one job and prints its just-in-time configuration, and
nothing else, to standard output: for controllers that hand it to a host, which
then needs no credential. GitHub gives it only once. If the name is taken by a runner
that never connected, the new one gets a suffix.`, o.groups(), call.withScope(bind(call, o, makeJITConfig)))
}

func makeJITConfig(ctx context.Context, call *session, client *github.Client, o *jitConfigOptions) error {
	if o.name.name == "" {
		return usagef("--name is missing: what shall the runner be called?")
	}
	if err := o.identity.check(client.Scope()); err != nil {
		return err
	}
	labels := o.identity.labels
	if !o.identity.noDefaultLabels {
		labels = append([]string{"self-hosted"}, labels...)
	}
	group, err := client.GroupID(ctx, o.identity.group)
	if err != nil {
		return err
	}
	made, err := client.JITConfig(ctx, github.JITRequest{
		Name: o.name.name, GroupID: group, Labels: github.Distinct(labels), WorkFolder: o.identity.folder(),
	})
	if err != nil {
		return err
	}
	ignoreBrokenPipe() // or this would end before the runner is deleted
	if o.gitHub.output.json {
		err = printJSON(call.out, madeConfig{made.Runner, made.Config.Reveal()})
	} else {
		_, err = fmt.Fprintln(call.out, made.Config.Reveal())
	}
	if err == nil {
		return nil
	}
	// GitHub gives a configuration once: what nobody got is of no use, and its runner would be listed for ever.
	return errors.Join(err, client.DeleteRunner(context.WithoutCancel(ctx), made.Runner.ID))
}

// madeConfig is a configuration as --json prints it.
type madeConfig struct {
	Runner github.Runner `json:"runner"`
	Config string        `json:"encoded_jit_config"`
}

// hintJITConfig makes another one, where there is a credential.
func hintJITConfig(call *session, _ error) string {
	return call.atScope("jitconfig", "--name", "NAME") + " >FILE"
}

// hintEphemeral does on an old server what a just-in-time configuration does, with everything else as it was typed.
func hintEphemeral(call *session, _ error) string {
	if firstOf(call.arguments...) != "install" {
		return call.atScope("install", "--ephemeral")
	}
	var kept []string
	for _, word := range call.arguments {
		if word != "--jit" && !strings.HasPrefix(word, "--jit=") && word != "--ephemeral" {
			kept = append(kept, word)
		}
	}
	if len(kept) == len(call.arguments) {
		kept = append(kept, "--jit=false") // a variable or the configuration says it
	}
	return again(call, kept, "--ephemeral")
}

// hintPort registers without config.sh, where that cannot find the server: it leaves out the port of --url.
func hintPort(call *session, err error) string {
	scope, parseErr := optionsOf[scopeOptions](call).parse()
	switch {
	case parseErr != nil || scope.Port() == "" || firstOf(call.arguments...) != "install":
		return same(call, err)
	case call.credential.empty():
		return hintJITConfig(call, err)
	}
	return again(call, withoutOption(call.arguments, "--registration-token-file"), "--jit")
}
