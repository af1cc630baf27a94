//go:build unix

package plan_test

import (
	"fmt"
	"strings"
	"testing"

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

func second[T any](_ T, err error) error { return err }
