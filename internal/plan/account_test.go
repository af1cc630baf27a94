package plan

import (
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// Groups that make their members root are a warning, unless jobs are to have what they give, or cannot use it.
func TestExpectedGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		group   string
		allow   string
		service bool
		want    bool
	}{
		{"docker", "", true, false},
		{"docker", AllowDocker, true, true},
		{"docker", AllowSudo, true, false},
		{"sudo", "", true, true}, // the sandbox of a service lets nobody become root by it
		{"sudo", "", false, false},
		{"wheel", AllowSudo, false, true},
		{"disk", AllowDocker, true, false},
		{"disk", AllowAll, false, true},
	} {
		r := Request{Service: c.service, Life: instance.Life{Allow: []string{c.allow}}}
		if got := r.expects(c.group); got != c.want {
			t.Errorf("group %s with %q, service %v: expected %v, want %v", c.group, c.allow, c.service, got, c.want)
		}
	}
}

// What jobs may lack, or can do, by the groups of their account.
func TestWarnsOfGroups(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // elsewhere no group is known to make anybody root
	}
	for name, c := range map[string]struct {
		user  account.User
		allow []string
		want  []string // a part of each
	}{
		"none":          {account.User{UID: 1, GID: 1}, nil, nil},
		"root's group":  {account.User{UID: 1, GID: 1, Groups: []int{0}}, nil, []string{`is in group "root"`}},
		"it is allowed": {account.User{UID: 1, GID: 1, Groups: []int{0}}, []string{AllowAll}, nil},
		"in doubt":      {account.User{UID: 1, GID: 1, Doubt: errors.New("no answer")}, nil, []string{"jobs may lack groups"}},
		"to be created": {account.User{UID: -1, GID: 0, Doubt: errors.New("no answer")}, nil, nil},
	} {
		made := &Plan{User: "ci", Details: Details{JobUser: c.user, Request: Request{Life: instance.Life{Allow: c.allow}}}}
		p := planner{Details: &made.Details, plan: made, maker: &Maker{Log: slog.New(slog.DiscardHandler)}}
		p.warnOfAccount()
		if !slices.EqualFunc(made.Warnings, c.want, strings.Contains) {
			t.Errorf("%s: warnings %q, want %q", name, made.Warnings, c.want)
		}
	}
}

// What jobs are to have, and their account cannot, is said with what mends it. The groups of this host are as they are.
func TestWarnsOfWhatIsAllowedInVain(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return
	}
	_, docker := account.User{}.Member(DockerGroup)
	want := map[bool]string{false: "no group docker: is Docker installed?", true: "sudo usermod -aG docker ci"}[docker]
	for name, c := range map[string]struct {
		uid   int
		allow []string
		want  []string
	}{
		"nothing":                 {1, nil, nil},
		"docker":                  {1, []string{AllowDocker}, []string{want}},
		"sudo, for a new account": {-1, []string{AllowSudo}, []string{"jobs are to have sudo"}},
	} {
		made := &Plan{User: "ci", Details: Details{JobUser: account.User{UID: c.uid, GID: 1}, Request: Request{Life: instance.Life{Allow: c.allow}}}}
		warnOfAllowed(t.Context(), &planner{Details: &made.Details, plan: made})
		if !slices.EqualFunc(made.Warnings, c.want, strings.Contains) {
			t.Errorf("%s: warnings %q, want %q", name, made.Warnings, c.want)
		}
	}
}

// Where jobs write beside the runner.
func TestHomeOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		user account.User
		want string
	}{
		"to be created":    {account.User{Name: "ci", UID: -1}, "/home/ci"},
		"not there yet":    {account.User{Name: "ci", UID: 1, Home: dir + "/x/"}, filepath.Join(dir, "x")},
		"of the system":    {account.User{Name: "ci", UID: 1, Home: "/usr/sbin"}, ""},
		"none":             {account.User{Name: "ci", UID: 1}, ""},
		"relative, absent": {account.User{Name: "ci", UID: 1, Home: "no/such"}, ""},
	} {
		if got := homeOf(c.user); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
