package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

func newInstall(call *session) *cobra.Command {
	return call.command("install", "Make this host a runner", `
Plans by reading alone, fetches and verifies the runner, registers it, and puts
it under the service manager. It may be repeated: what is so already is kept,
and a run that was interrupted, even killed, is continued.

--name and --labels may have {hostname}, {random} and {n} (the number among
--count), and what a cloud knows of its machine: {instance_id}, {region}, {zone}
and {instance_type} of AWS, Azure, Google Cloud or OpenStack. Where that is not
known, a label is left out, and a name goes without it.`, call.withHost(call.install))
}

func (call *session) install(ctx context.Context, host *bootstrap.Host) error {
	request, err := call.values.request()
	if err != nil {
		return err
	}
	if err := call.minted.adopt(&request, &call.values); err != nil {
		return err
	}
	if request.Credential, request.Keep, err = call.forSupervisor(); err != nil {
		return err
	}
	if request.JIT != nil {
		request.Credential, request.Keep = instance.Credential{}, github.Secret{} // its one job is all that it is for
	}
	request.Thorough = call.values.dryRun || call.console.person
	requests, err := host.Spread(request, call.values.count)
	if err != nil {
		return err
	}
	if call.values.dryRun {
		return call.printPlans(ctx, host, requests)
	}
	var plans []*bootstrap.Plan
	for _, one := range requests {
		plan, err := host.Install(ctx, one)
		if err != nil {
			return err
		}
		call.console.summary(installed(plan, call.values))
		plans = append(plans, plan)
	}
	if err := call.removeSurplus(ctx, host, request); err != nil {
		return err
	}
	if call.values.json {
		return call.printPlan(plans...)
	}
	return nil
}

// removeSurplus takes away the runners that an earlier install with a higher
// --count has made.
func (call *session) removeSurplus(ctx context.Context, host *bootstrap.Host, request bootstrap.Request) error {
	names, err := host.Surplus(request, call.values.count)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := call.removeOne(ctx, host, name); err != nil {
			return err
		}
	}
	return nil
}

func (call *session) printPlans(ctx context.Context, host *bootstrap.Host, requests []bootstrap.Request) error {
	var plans []*bootstrap.Plan
	for _, one := range requests {
		plan, err := host.MakePlan(ctx, one)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	surplus, err := host.Surplus(requests[0], call.values.count)
	if err != nil {
		return err
	}
	if err := call.printPlan(plans...); err != nil || call.values.json {
		return err
	}
	for _, name := range surplus {
		fmt.Fprintf(call.out, "uninstall    change  %s (more than --count)\n", name)
	}
	return nil
}

// request checks the options that only together make sense.
func (o *options) request() (bootstrap.Request, error) {
	if o.url == "" {
		return bootstrap.Request{}, &usageError{
			text: "--url is missing: what shall the runner belong to?",
			hint: "runner-bootstrap install --url https://github.com/OWNER/REPO --token-file FILE",
		}
	}
	scope, err := github.ParseScope(o.url, o.apiURL)
	if err != nil {
		return bootstrap.Request{}, err
	}
	if err := o.check(scope); err != nil {
		return bootstrap.Request{}, err
	}
	source, err := o.source()
	if err != nil {
		return bootstrap.Request{}, err
	}
	life, err := o.life()
	if err != nil {
		return bootstrap.Request{}, err
	}
	template := o.name
	if template == "" {
		template = "{hostname}"
	}
	return bootstrap.Request{
		Scope: scope, Template: template, Replace: o.replace,
		Identity: instance.Identity{
			Labels: o.labels, NoDefaultLabels: o.noDefaultLabels, Group: o.runnergroup, Work: o.work,
			Ephemeral: o.ephemeral || o.jit, JIT: o.jit, DisableUpdate: o.disableUpdate,
		},
		Metadata: bootstrap.Metadata{Policy: o.metadata, Wait: o.metadataWait},
		User:     o.user, CreateUser: o.createUser, UserPerRunner: o.userPerRunner, Service: !o.noService,
		Source: source, Variables: o.env, Life: life,
	}, nil
}

func (o *options) check(scope github.Scope) error {
	switch {
	case o.createUser && o.user == "":
		return usagef("--create-user needs --user")
	case o.count < 1:
		return usagef("--count: at least one runner")
	case !slices.Contains([]string{bootstrap.MetadataOff, bootstrap.MetadataAuto, bootstrap.MetadataRequired}, o.metadata):
		return usagef("--metadata: %q is not auto, required or off", o.metadata)
	case o.metadataWait <= 0:
		return usagef("--metadata-wait: a duration above zero")
	case o.userPerRunner && o.noService && !account.Privileged():
		return usagef("--user-per-runner needs root")
	}
	if err := o.checkIdentity(scope); err != nil {
		return err
	}
	for _, variable := range o.env {
		if key, _, found := strings.Cut(variable, "="); !found || key == "" {
			return usagef("--env: %q is not KEY=VALUE", key)
		}
	}
	return nil
}

// checkIdentity checks how a runner is to present itself.
func (o *options) checkIdentity(scope github.Scope) error {
	switch {
	case o.noDefaultLabels && len(o.labels) == 0:
		return usagef("--no-default-labels needs --labels: a runner without any label gets no job")
	case o.runnergroup != "" && scope.Kind == github.Repository:
		return usagef("--runnergroup: a repository has no runner groups; give the organization's URL")
	}
	if !filepath.IsAbs(o.work) {
		if _, err := doctor.CheckWork(doctor.Work{Folder: o.work}); err != nil {
			return err
		}
	}
	for _, value := range append([]string{o.runnergroup, o.work}, o.labels...) {
		// The runner's own parser takes such a value for the next option.
		if strings.HasPrefix(value, "-") {
			return usagef("%q cannot be a label, a runner group or a folder: it begins with a hyphen", value)
		}
	}
	// One with a placeholder is looked at by the plan, which fills it.
	plain := slices.DeleteFunc(slices.Clone(o.labels), func(label string) bool { return strings.Contains(label, "{") })
	return github.CheckLabels(github.Distinct(plain), 0)
}

// printPlan prints one plan, or several: as JSON these are a list.
func (call *session) printPlan(plans ...*bootstrap.Plan) error {
	if call.values.json && len(plans) == 1 {
		return printJSON(call.out, plans[0])
	}
	if call.values.json {
		return printJSON(call.out, plans)
	}
	for _, plan := range plans {
		fmt.Fprintf(call.out, "runner   %s\nscope    %s\ndir      %s\naccount  %s\n", plan.Name, plan.ScopeURL, plan.Dir, plan.User)
		for _, step := range plan.Steps {
			verb := "keep"
			if step.Change {
				verb = "change"
			}
			fmt.Fprintf(call.out, "%-12s %-7s %s (%s)\n", step.Phase, verb, step.Object, step.Reason)
		}
		for _, warning := range plan.Warnings {
			fmt.Fprintf(call.out, "warning  %s\n", oneCell(warning))
		}
		if !plan.Changes() {
			fmt.Fprintln(call.out, "nothing to do")
		}
	}
	return nil
}

// installed says what comes next.
func installed(plan *bootstrap.Plan, o options) string {
	switch {
	case !plan.Changes():
		return fmt.Sprintf("runner %s is installed already, nothing was changed", plan.Name)
	case plan.ServiceName != "":
		return fmt.Sprintf("runner %s is listening for jobs; look with: runner-bootstrap status", plan.Name)
	default:
		words := []string{"runner-bootstrap", "run", "--name", plan.Name}
		if o.dir != "" {
			words = append(words, "--dir", o.dir)
		}
		return fmt.Sprintf("runner %s is registered; start it with: %s", plan.Name, shellWords(words))
	}
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
