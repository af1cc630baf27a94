package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// defaultTemplate makes the name of a runner without --name.
const defaultTemplate = "{hostname}"

// installOptions are what install takes.
type installOptions struct {
	scope        scopeOptions
	credential   credentialOptions
	issued       issuedOptions
	name         nameOptions
	count        countOptions
	identity     identityOptions
	registration registrationOptions
	account      accountOptions
	place        placeOptions
	lifecycle    lifecycleOptions
	report       reportOptions
	source       sourceOptions
	network      networkOptions
	output       outputOptions
	call         callOptions
	again        againOptions
	patience     patienceOptions
}

func (o *installOptions) groups() []group {
	return []group{
		&o.scope, &o.credential, &o.issued, &o.name, &o.count, &o.identity, &o.registration, &o.account, &o.place,
		&o.lifecycle, &o.report, &o.source, &o.network, &o.output, &o.again, &o.call, &o.patience,
	}
}

func newInstall(call *session) *cobra.Command {
	o := &installOptions{}
	return call.command("install", "Make this host a runner", `
Checks first, then downloads, verifies, registers and starts the runner. Safe to
repeat: finished steps are skipped, and a run that was interrupted, even killed,
is continued. Options that you do not give keep the values of an earlier install
of this runner, also --url, --name and --count; --reset forgets them.

--name and --labels may contain {hostname}, {random} and {n} (the number of the
runner among --count), and on AWS, Azure, Google Cloud and OpenStack also
{instance_id}, {region}, {zone} and {instance_type}. If one of these is not
known, a label with it is left out, and a name with it is refused. {hostname} is
the name of the host; if many hosts have that name, such as localhost, something
unique is added.`, o.groups(), checkingFirst(call, o, patiently(call, call.withHost(bind(call, o, runInstall)))))
}

// checkingFirst asks a person for a URL, and refuses what does not go together before any secret is asked for or read.
func checkingFirst(call *session, o *installOptions, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := call.bounded(ctx, func(ctx context.Context) error { return askURL(ctx, call) }); err != nil {
			return err
		}
		if o.scope.url == "" {
			return withoutURL(namesHere(o.place)...)
		}
		if err := o.checkEverything(); err != nil {
			return call.earlier.blamed(err)
		}
		return do(ctx)
	}
}

func runInstall(ctx context.Context, call *session, host *bootstrap.Host, o *installOptions) error {
	request, err := o.request()
	if err != nil {
		return call.earlier.blamed(err)
	}
	if request.Password, err = call.secrets().readPassword(ctx, o.account.passwordFile); err != nil {
		return err
	}
	if err := call.issued.applyTo(&request, o); err != nil {
		return err
	}
	if request.Credential, request.Keep, err = credentialToRecord(&o.credential, call.credential); err != nil {
		return err
	}
	if err := useKept(call, host, &request); err != nil {
		return err
	}
	if request.JIT != nil {
		request.Credential, request.Keep = instance.Credential{}, secret.Secret{} // its one job is all that it is for
	}
	request.Thorough = o.output.dryRun || call.console.terminal || o.call.logFormat == formatLines
	if err := keepEarlier(call, o, &request); err != nil {
		return err
	}
	requests, err := plan.Spread(host.Store, request, o.count.count)
	if err != nil {
		return err
	}
	if o.output.dryRun {
		return printPlans(ctx, call, host, o, requests)
	}
	if err := agreeToRemove(ctx, call, host, o, request); err != nil {
		return err
	}
	host.Agree = func(ctx context.Context, plan *plan.Plan) error { return agreeToPlan(ctx, call, o, plan) }
	var plans []*plan.Plan
	for _, one := range requests {
		plan, err := host.Install(ctx, one)
		if err != nil {
			return err
		}
		call.console.summary(installed(call, plan))
		plans = append(plans, plan)
	}
	if err := removeExcess(ctx, call, host, o, request); err != nil {
		return err
	}
	if o.output.json {
		return printPlan(call.out, true, plans...)
	}
	return nil
}

// removeExcess takes away the runners that an earlier install with a higher
// --count has made.
func removeExcess(ctx context.Context, call *session, host *bootstrap.Host, o *installOptions, request plan.Request) error {
	names, err := plan.Surplus(host.Store, request, o.count.count)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := uninstallOne(ctx, call, host, bootstrap.Removal{Name: name, RemoveToken: call.issued.remove}); err != nil {
			return err
		}
	}
	return nil
}

func printPlans(ctx context.Context, call *session, host *bootstrap.Host, o *installOptions, requests []plan.Request) error {
	var plans []*plan.Plan
	for _, one := range requests {
		plan, err := host.Planner().Make(ctx, one)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	excess, err := plan.Surplus(host.Store, requests[0], o.count.count)
	if err != nil {
		return err
	}
	if err := printPlan(call.out, o.output.json, plans...); err != nil || o.output.json {
		return err
	}
	l := lines{out: call.out}
	for _, name := range excess {
		l.add("uninstall    change  %s (more than --count)", name)
	}
	return l.err
}

// request is what the phases know of the options.
func (o *installOptions) request() (plan.Request, error) {
	if o.scope.url == "" {
		return plan.Request{}, withoutURL()
	}
	scope, err := github.ParseScope(o.scope.url, o.scope.apiURL)
	if err != nil {
		return plan.Request{}, err
	}
	if err := o.check(scope); err != nil {
		return plan.Request{}, err
	}
	source, err := o.source.source()
	if err != nil {
		return plan.Request{}, err
	}
	kept, err := lifecycle(&o.lifecycle, &o.report)
	if err != nil {
		return plan.Request{}, err
	}
	return plan.Request{
		Scope: scope, Template: firstOf(o.name.name, defaultTemplate), Replace: o.registration.replace,
		Identity: instance.Identity{
			Labels: o.identity.labels, NoDefaultLabels: o.identity.noDefaultLabels, Group: o.identity.group, Work: o.identity.folder(),
			Ephemeral: o.registration.ephemeral || o.lifecycle.jit, JIT: o.lifecycle.jit, DisableUpdate: o.registration.disableUpdate,
		},
		Metadata: plan.Metadata{Policy: o.identity.metadata, Wait: o.identity.metadataWait},
		Account:  plan.Account{User: o.account.user, CreateUser: o.account.createUser, UserPerRunner: o.account.userPerRunner},
		Service:  !o.account.noService,
		Source:   source, Update: o.registration.update, Variables: o.registration.env, Life: kept,
	}, nil
}

// check checks the options that only together make sense.
func (o *installOptions) check(scope github.Scope) error {
	if err := o.checkAlone(); err != nil {
		return err
	}
	return o.identity.check(scope)
}

// checkEverything checks what can be known of all options without reading a file that one names.
func (o *installOptions) checkEverything() error {
	scope, err := o.scope.parse()
	if err != nil {
		return err
	}
	if err := o.checkWithoutURL(); err != nil {
		return err
	}
	return o.identity.check(scope)
}

// checkWithoutURL checks what can be known of all options while nobody says what the runner belongs to.
func (o *installOptions) checkWithoutURL() error {
	if err := o.checkAlone(); err != nil {
		return err
	}
	if _, err := o.source.source(); err != nil {
		return err
	}
	if err := o.lifecycle.check(); err != nil {
		return err
	}
	return o.report.check()
}

// checkAlone checks what does not depend on the scope.
func (o *installOptions) checkAlone() error {
	if err := o.account.check(); err != nil {
		return err
	}
	if err := plan.CheckTemplates(firstOf(o.name.name, defaultTemplate), o.identity.labels); err != nil {
		return err
	}
	return o.registration.check()
}

// printPlan prints one plan, or several: as JSON these are a list.
func printPlan(out io.Writer, asJSON bool, plans ...*plan.Plan) error {
	if asJSON && len(plans) == 1 {
		return printJSON(out, plans[0])
	}
	if asJSON {
		return printJSON(out, plans)
	}
	l := lines{out: out}
	for _, plan := range plans {
		l.add("runner   %s\nscope    %s\ndir      %s\naccount  %s", plan.Name, plan.ScopeURL, plan.Dir, plan.User)
		for _, option := range plan.Options {
			l.add("%-12s %-7s %s", "options", "change", optionChange(option))
		}
		for _, step := range plan.Steps {
			verb := "keep"
			if step.Change {
				verb = "change"
			}
			l.add("%-12s %-7s %s (%s)", step.Phase, verb, step.Object, step.Reason)
		}
		for _, warning := range plan.Warnings {
			l.add("warning  %s", terminal.OneCell(warning))
		}
		if !plan.Changes() && len(plan.Options) == 0 {
			l.add("nothing to do")
		}
	}
	return l.err
}

// installed says what comes next.
func installed(call *session, plan *plan.Plan) string {
	switch {
	case !plan.Changes():
		return fmt.Sprintf("runner %s is installed already, nothing was changed", plan.Name)
	case plan.Details.Waits != "":
		return fmt.Sprintf("runner %s is installed, and waits until this machine is in service: %s", plan.Name, plan.Details.Waits)
	case plan.Details.Later != "":
		return fmt.Sprintf("runner %s is installed, and becomes version %s", plan.Name, plan.Details.Later)
	case plan.ServiceName != "":
		return fmt.Sprintf("runner %s is listening for jobs; look with: %s", plan.Name, asCalled(call.here("status")))
	default:
		return fmt.Sprintf("runner %s is registered; start it with: %s", plan.Name, asCalled(call.here("run", "--name", plan.Name)))
	}
}
