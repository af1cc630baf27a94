package systemd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const stopsManager = "systemctl stop user@1234.service"

// A user manager that nobody is logged in to ends, and does not come back.
func TestEndUserManager(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		calls []string // after the look
		done  string
		says  string // in the error
	}{
		"lingers": {
			map[string]string{"user": "Linger=yes\nSessions=\n"},
			[]string{"loginctl disable-linger 1234", stopsManager},
			"turned its lingering off, stopped its user manager", "",
		},
		"still there after a logout": {map[string]string{"user": "Linger=no\nSessions=\n"}, []string{stopsManager}, "stopped its user manager", ""},
		"lingers, and somebody is logged in": {
			map[string]string{"user": "Linger=yes\nSessions=c1 4\n"}, []string{"loginctl disable-linger 1234"}, "turned its lingering off", "",
		},
		"somebody is logged in":     {map[string]string{"user": "Linger=no\nSessions=4\n"}, nil, "", ""},
		"unknown to logind":         {map[string]string{"fail-loginctl": "User ID 1234 is not logged in or lingering"}, nil, "", ""},
		"cannot be told not to":     {map[string]string{"user": "Linger=yes\nSessions=\n", "fail-disable-linger": "no"}, []string{"loginctl disable-linger 1234"}, "", `turning lingering of account "ci" off: exit status 1: no`},
		"its manager does not stop": {map[string]string{"user": "Linger=no\nSessions=\n", "fail-stop": "no"}, []string{stopsManager}, "", `stopping the user manager of account "ci": exit status 1: no`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			for file, content := range c.files {
				f.put(file, content)
			}
			done, err := f.host.endUserManager(t.Context(), "ci", 1234)
			if done != c.done || (err == nil) != (c.says == "") || err != nil && err.Error() != c.says {
				t.Errorf("%q, %v, want %q, %q", done, err, c.done, c.says)
			}
			f.called(append([]string{"loginctl show-user 1234"}, c.calls...)...)
		})
	}
}

func TestEndUserManagerElsewhere(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.host.available = func() error { return svc.ErrUnavailable }
	if done, err := f.host.endUserManager(t.Context(), "ci", 1234); done != "" || err != nil {
		t.Errorf("%q, %v", done, err)
	}
	f.called()
	f.host.available = func() error { return nil }
	f.put("hang-loginctl", "")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := f.host.endUserManager(ctx, "ci", 1234); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "killed") {
		t.Errorf("one that hangs: %v", err)
	}
}
