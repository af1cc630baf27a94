package account

import (
	"errors"
	"strings"
	"testing"
)

func TestLookupOfNobodyInParticularIsOurselves(t *testing.T) {
	t.Parallel()
	u, err := Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if !u.Self || u.Name == "" || u.Planned() {
		t.Errorf("%+v", u)
	}
	again, err := Lookup(u.Name)
	if err != nil || !again.Same(u) || again.Home != u.Home || !again.Self {
		t.Errorf("by name %+v, %v, want %+v", again, err, u)
	}
}

func TestLookupOfTheAbsent(t *testing.T) {
	t.Parallel()
	if u, err := Lookup("no-such-account-here"); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), `"no-such-account-here"`) {
		t.Errorf("%+v, %v, want ErrAbsent", u, err)
	}
}
