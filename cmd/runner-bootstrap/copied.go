package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
)

// copied tells whether a runner of this host is another machine's, of which this one is a copy.
func copied(ctx context.Context, host *bootstrap.Host, name string) bool {
	record, err := host.Store.Load(name)
	return err == nil && errors.Is(host.Machine.Check(ctx, record), machine.ErrCopied)
}

// leftToTheOther is how the removal of such a runner ends.
func leftToTheOther(name string) string {
	return fmt.Sprintf("what this host had of runner %s is removed; GitHub was not told, since the runner is another machine's", name)
}

// hintCopied has the copy of a machine become a runner of its own.
func hintCopied(call *session, err error) string {
	scope := refusalOf(err).Scope
	if scope == (github.Scope{}) {
		return installOfOwn(call, "")
	}
	return installOfOwn(call, scope.URL())
}

func installOfOwn(call *session, scopeURL string) string {
	return call.here("install", "--url", firstOf(scopeURL, "URL"), "--name", "{hostname}-{random}", "--token-file", "FILE")
}
