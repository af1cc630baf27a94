package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// errDeclined means that somebody was asked at a terminal, and did not want it.
var errDeclined = errors.New("not confirmed, so nothing was changed")

// keepEarlier has a request say what is kept of earlier installs, and what is otherwise now.
func keepEarlier(call *session, o *installOptions, request *plan.Request) (err error) {
	request.Earlier.Reset = o.again.reset
	request.Earlier.KeepVariables = !call.given("env") && !o.again.reset
	if request.Earlier.Options, err = toRemember(call); err != nil {
		return err
	}
	if call.earlier.record.Name == "" || len(call.earlier.record.Options) == 0 {
		return nil
	}
	request.Earlier.Changes = changesSince(call, request.Earlier.Options)
	if len(call.earlier.kept) > 0 && !call.earlier.told {
		call.console.kept(call.earlier.kept)
	}
	call.earlier.told = true // another attempt need not
	return nil
}

// optionChange is a line about one option.
func optionChange(c plan.OptionChange) string {
	return fmt.Sprintf("%s: %s -> %s", c.Name, c.Before, c.After)
}

// agreeToPlan announces that a runner is to leave GitHub and join again, and asks at a terminal.
func agreeToPlan(ctx context.Context, call *session, o *installOptions, p *plan.Plan) error {
	if !p.Details.LeaveFirst {
		return nil
	}
	why := make([]string, 0, len(p.Options))
	for _, change := range p.Options {
		why = append(why, optionChange(change))
	}
	what := fmt.Sprintf("runner %s leaves GitHub and is registered again", p.Name)
	if len(why) > 0 {
		what += " (" + strings.Join(why, "; ") + ")"
	}
	return agree(ctx, call, o.again.yes, what)
}

// agreeToRemove announces which runners are beyond --count, and asks at a terminal.
func agreeToRemove(ctx context.Context, call *session, host *bootstrap.Host, o *installOptions, request plan.Request) error {
	names, err := plan.Surplus(host.Store, request, o.count.count)
	if err != nil || len(names) == 0 {
		return err
	}
	what := fmt.Sprintf("--count %d removes %s from this host and from GitHub", o.count.count, strings.Join(names, " and "))
	return agree(ctx, call, o.again.yes, what)
}

// agree announces what is about to be done. At a terminal it asks, unless yes was said before.
func agree(ctx context.Context, call *session, yes bool, what string) error {
	at := askable(call)
	if yes || at == nil {
		call.console.announce(what)
		return nil
	}
	answer, err := at.Ask(ctx, terminal.OneCell(what)+". Go on? [y/N]")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer == "y" || answer == "yes" {
		return nil
	}
	return errDeclined
}

// announce tells what is about to be done.
func (c *console) announce(what string) {
	if c.person {
		c.say(slog.LevelWarn, "! %s", terminal.OneCell(what))
		return
	}
	c.log.Info("about to change a runner", "what", what)
}

// kept tells what stays as earlier installs were told.
func (c *console) kept(options []string) {
	if c.person {
		c.say(slog.LevelInfo, "= %-11s %s (of an earlier install; --reset forgets them)", "options",
			terminal.OneCell(strings.Join(options, " ")))
		return
	}
	c.log.Info("options of an earlier install are kept; --reset forgets them", "options", strings.Join(options, " "))
}
