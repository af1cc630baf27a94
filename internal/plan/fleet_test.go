//go:build unix

package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// Several runners of one host.
func TestFleet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := w.maker.Store
	r := w.request()
	if one, err := plan.Spread(store, r, 1); err != nil || len(one) != 1 || one[0].Index != 0 {
		t.Errorf("one alone: %+v, %v", one, err)
	}
	r.UserPerRunner, r.User = true, ""
	three, err := plan.Spread(store, r, 3)
	if err != nil || len(three) != 3 || three[2].Index != 3 || three[2].User != "runner-3" || !three[2].CreateUser {
		t.Errorf("three: %+v, %v", three, err)
	}
	r.User = "ci"
	if one, err := plan.Spread(store, r, 1); err != nil || len(one) != 1 || one[0].User != "ci-1" || one[0].CreateUser {
		t.Errorf("one with an account of its own: %+v, %v", one, err)
	}
	r = w.request()
	for i := 1; i <= 3; i++ {
		mustDo(t, store.Save(instance.Record{Name: fmt.Sprintf("web-%d", i), Template: r.Template, Index: i, ScopeURL: w.scope.URL(), Phase: instance.Installed}))
	}
	mustDo(t, store.Save(instance.Record{Name: "other", Template: "other", Index: 4, ScopeURL: w.scope.URL(), Phase: instance.Installed}))
	if names, err := plan.Surplus(store, r, 1); err != nil || strings.Join(names, " ") != "web-3 web-2" {
		t.Errorf("surplus %q, %v", names, err)
	}
	if one, err := plan.Spread(store, r, 1); err != nil || len(one) != 1 || one[0].Index != 1 {
		t.Errorf("one of what were several: %+v, %v", one, err)
	}
	w.write("rb/state/instances/web-1/record.json", "{")
	for _, err := range []error{second(plan.Spread(store, r, 2)), second(plan.Surplus(store, r, 2))} {
		if err == nil || !strings.Contains(err.Error(), "looking for the runners of this host") {
			t.Errorf("with a damaged record: %v", err)
		}
	}
}

// As root each runner of a host has an account of its own, which it keeps, unless one is named.
func TestAccountForEachRunner(t *testing.T) {
	t.Parallel()
	if !account.Privileged() {
		return // jobs run as the account that installs
	}
	w := newWorld(t).withGitHub()
	number := func(i int) plan.Request {
		r := w.request()
		r.User, r.Index = "", i
		return r
	}
	saved := func(record instance.Record) {
		record.ScopeURL, record.Phase, record.Dir = w.scope.URL(), instance.Installed, w.maker.Paths.Root(record.Name)
		mustDo(t, w.maker.Store.Save(record))
	}
	for i, want := range []string{"runner", "runner-1", "runner-2"} {
		if got := w.plan(number(i)).User; got != want {
			t.Errorf("number %d on an empty host: %q, want %q", i, got, want)
		}
	}
	saved(instance.Record{Name: "other", Template: "other", User: "runner"})
	for i, want := range []string{"runner-2", "runner-1", "runner-2"} {
		if got := w.plan(number(i)).User; got != want {
			t.Errorf("number %d beside one runner: %q, want %q", i, got, want)
		}
	}
	saved(instance.Record{Name: "more", Template: "more", User: "runner-2"})
	for i, want := range []string{"runner-3", "runner-1", "runner-3"} {
		if got := w.plan(number(i)).User; got != want {
			t.Errorf("number %d beside two runners: %q, want %q", i, got, want)
		}
	}
	r := number(0)
	r.User = "runner"
	if got := w.plan(r).User; got != "runner" {
		t.Errorf("asked for another's account: %q", got)
	}
	// Made by an earlier version, and its account has gone.
	saved(instance.Record{Name: "web-1", Template: w.request().Template, User: "runner-7"})
	made := w.plan(number(0))
	wants(t, made, plan.AccountPhase, "change runner-7 (no such account yet)")
	saved(instance.Record{Name: "web-1", Template: w.request().Template, User: "runner-07"})
	w.refused(number(0), account.ErrAbsent, `account "runner-07"`)
}

func second[T any](_ T, err error) error { return err }
