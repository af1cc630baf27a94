package main

import (
	"errors"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// hintAccount takes the account that is made for jobs.
func hintAccount(call *session, _ error) string {
	if on(call).AsRoot == "" { // each runner has its own
		return again(call, withoutOption(call.arguments, "--user"))
	}
	return againWith(call, "--user", plan.DefaultUser)
}

// hintNoAccount creates the account where that can help: a name of a directory is none
// that could be made here.
func hintNoAccount(call *session, err error) string {
	var unknown *account.LookupError
	switch {
	case firstOf(call.arguments...) != "install" || !errors.As(err, &unknown):
		return "runner-bootstrap status"
	case account.Creatable(unknown.Name):
		return againWith(call, "--create-user")
	}
	return hintAskAccount(call, err)
}

// hintAskAccount asks the system what it knows of an account.
func hintAskAccount(call *session, err error) string {
	var unknown *account.LookupError
	if !errors.As(err, &unknown) || unknown.Name == "" {
		return on(call).Do(shell.ShowAccounts)
	}
	return askAccount(call, unknown.Name)
}

func askAccount(call *session, name string) string {
	if on(call).AsRoot != "" && strings.HasPrefix(name, "-") {
		return on(call).Words("getent", "--", "passwd", name)
	}
	return on(call).Do(shell.ShowAccount, name)
}

// hintCreate does by hand what useradd would not do for us: a group of the account's
// name may be somebody's, so whether the account may be in it is not for us to say.
func hintCreate(call *session, err error) string {
	var refused *account.CreateError
	switch {
	case !errors.As(err, &refused):
		return hintAccount(call, err)
	case refused.Taken:
		return on(call).Do(shell.MakeAccountIn, refused.Name, refused.Name)
	}
	return on(call).Do(shell.MakeAccount, refused.Name)
}

func hintUnreachable(call *session, err error) string {
	refused := refusalOf(err)
	return on(call).Do(shell.LetList, refused.Name, firstOf(optionsOf[accountOptions](call).user, "ACCOUNT"))
}
