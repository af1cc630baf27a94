//go:build e2e && linux

package e2e_test

import (
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const (
	sudoAccount = "ci"
	sudoRule    = "/etc/sudoers.d/runner-bootstrap-" + sudoAccount
)

// TestSudo: with --create-user, --allow sudo is all it takes, by a rule that is seen before it is written and goes with what needs
// it. What somebody else has made is left as it is, and said.
func TestSudo(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian13Full, Cgroup2: true}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()),
	})
	s.Must("systemctl", "start", "network-online.target")
	for _, step := range []struct {
		name string
		do   func(sudoers, *testing.T)
	}{
		{"what keeps it from being written", sudoers.hindered},
		{"written and taken away", sudoers.written},
		{"without --user", sudoers.own},
		{"shared", sudoers.shared},
		{"changed by somebody", sudoers.changed},
		{"an account that was there", sudoers.foreign},
	} {
		t.Run(step.name, func(t *testing.T) { step.do(sudoers{s.For(t)}, t) })
	}
}

// sudoers is a host with sudo.
type sudoers struct{ *stage.Stage }

// install installs one with jobs as ci; it ends with code.
func (s sudoers) install(t *testing.T, code int, more ...string) machine.Result {
	t.Helper()
	words := []string{
		program, "install", "--url", s.Server.URL() + "/octo-org", "--name", name, "--token-file", token, "--user", sudoAccount,
	}
	r := s.Run(t.Context(), append(words, more...)...)
	if r.Code != code {
		t.Fatalf("%v: code %d is wanted: %s", more, code, r)
	}
	return r
}

// rule is what there is of it.
func (s sudoers) rule() string {
	if !s.Exists(sudoRule) {
		return ""
	}
	return strings.TrimSpace(s.Must("stat", "-c", "%u:%g %a", sudoRule))
}

// becomes tells whether a job becomes root.
func (s sudoers) becomes(t *testing.T) bool {
	t.Helper()
	job := s.Server.QueueJob(name, githubtest.Job{Name: "become", Script: `sudo -n sh -c 'echo "sudo gives $(id -u)"'; true`})
	output := ends(t, job, "succeeded")
	return strings.Contains(output, "sudo gives 0")
}

func (s sudoers) gone(t *testing.T, runner string) {
	t.Helper()
	s.Must(program, "uninstall", "--name", runner, "--token-file", token)
}

func (s sudoers) hindered(t *testing.T) {
	main := s.Must("cat", "/etc/sudoers")
	s.Write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440)
	if r := s.install(t, 0, "--create-user", "--allow", "sudo", "--dry-run"); !strings.Contains(r.Stderr+r.Stdout, "/etc/sudoers does not include /etc/sudoers.d") {
		t.Errorf("without its line: %s", r)
	}
	// What is read in its place may have the line, and has not: the rule is of no use, and goes.
	s.Write("/etc/sudoers", "@include /etc/sudoers.more\n", 0o440)
	s.Write("/etc/sudoers.more", "root ALL=(ALL:ALL) ALL\n", 0o440)
	if r := s.install(t, 3, "--create-user", "--allow", "sudo"); !strings.Contains(r.Stderr, `account "ci" may still run nothing`) || s.rule() != "" {
		t.Errorf("a rule that sudo does not read: %s", r)
	}
	s.Write("/etc/sudoers", main, 0o440)
	s.Must("mv", "/usr/bin/sudo", "/usr/bin/sudo.away")
	if r := s.install(t, 0, "--create-user", "--allow", "sudo", "--dry-run"); !strings.Contains(r.Stderr+r.Stdout, "install the package sudo") {
		t.Errorf("without sudo: %s", r)
	}
	s.Must("mv", "/usr/bin/sudo.away", "/usr/bin/sudo")
	// visudo refuses: nothing is left, and what was made by then is continued.
	s.Must("mv", "/usr/sbin/visudo", "/usr/sbin/visudo.away")
	s.Write("/usr/sbin/visudo", "#!/bin/sh\necho 'parse error near line 2'\nexit 1\n", 0o755)
	r := s.install(t, 3, "--create-user", "--allow", "sudo")
	if !strings.Contains(r.Stderr, "sudo does not take the rule") || !strings.Contains(r.Stderr, "parse error near line 2") {
		t.Errorf("visudo refuses: %s", r)
	}
	s.Must("mv", "/usr/sbin/visudo.away", "/usr/sbin/visudo")
	if left := s.Must("ls", "-A", "/etc/sudoers.d"); strings.Contains(left, "runner-bootstrap") {
		t.Errorf("after a refusal there is %s", left)
	}
	s.gone(t, name)
	s.Must("userdel", "--remove", sudoAccount)
}

func (s sudoers) written(t *testing.T) {
	if r := s.install(t, 0, "--allow", "sudo", "--create-user", "--dry-run"); !strings.Contains(r.Stdout, sudoRule) || s.rule() != "" {
		t.Errorf("the plan does not say it, or writes it (%q): %s", s.rule(), r)
	}
	r := s.install(t, 0, "--allow", "sudo", "--create-user")
	if rule := s.rule(); rule != "0:0 440" || strings.Contains(r.Stderr, "may run nothing") {
		t.Fatalf("the rule is %q: %s", rule, r)
	}
	s.Must("visudo", "-c")
	if !s.becomes(t) {
		t.Error("a job does not become root")
	}
	if status := s.Must(program, "status"); !strings.Contains(status, sudoRule) {
		t.Errorf("status: %s", status)
	}
	if doctor := s.Run(t.Context(), program, "doctor"); !strings.Contains(doctor.Stdout, "its jobs may use sudo, by "+sudoRule) {
		t.Errorf("doctor: %s", doctor)
	}
	if r := s.install(t, 0, "--create-user"); !strings.Contains(r.Stderr, "nothing was changed") {
		t.Errorf("a repeat: %s", r)
	}
	// Somebody has removed it: that is seen, and mended by another install.
	s.Must("rm", sudoRule)
	if r := s.Run(t.Context(), program, "status"); r.Code != 9 || !strings.Contains(r.Stdout, "is gone") {
		t.Errorf("status without the rule: %s", r)
	}
	if r := s.Run(t.Context(), program, "doctor"); !strings.Contains(r.Stdout, "may run nothing by it") {
		t.Errorf("doctor without the rule: %s", r)
	}
	s.install(t, 0, "--create-user")
	if s.rule() == "" {
		t.Error("it was not written again")
	}
	// Dropped, it goes.
	s.install(t, 0, "--allow", "")
	if rule := s.rule(); rule != "" || s.becomes(t) {
		t.Errorf("after --allow \"\" there is %q", rule)
	}
	// An account of ours that came without it gets it later.
	s.install(t, 0, "--allow", "sudo", "--create-user")
	if s.rule() == "" || !s.becomes(t) {
		t.Error("it was not written for an account of ours")
	}
	s.gone(t, name)
	if rule := s.rule(); rule != "" {
		t.Errorf("after uninstall there is %q", rule)
	}
}

// own is about the account that there is without --user.
func (s sudoers) own(t *testing.T) {
	const rule = "/etc/sudoers.d/runner-bootstrap-runner"
	install := []string{program, "install", "--url", s.Server.URL() + "/octo-org", "--name", name, "--token-file", token, "--allow", "sudo"}
	r := s.Run(t.Context(), install...)
	if r.Code != 0 || !strings.Contains(r.Stderr, "with --create-user, install lets it") || s.Exists(rule) {
		t.Fatalf("without --create-user: %s", r)
	}
	s.Must(append(install, "--create-user")...) // as it was told
	if !s.Exists(rule) || !s.becomes(t) {
		t.Error("a job does not become root")
	}
	s.gone(t, name)
	if s.Exists(rule) {
		t.Error("the rule is still there")
	}
}

func (s sudoers) shared(t *testing.T) {
	s.install(t, 0, "--allow", "sudo", "--create-user", "--count", "2")
	s.gone(t, name)
	if s.rule() == "" {
		t.Error("it went with the first of two runners")
	}
	s.gone(t, name+"-2")
	if rule := s.rule(); rule != "" {
		t.Errorf("after both there is %q", rule)
	}
}

func (s sudoers) changed(t *testing.T) {
	s.install(t, 0, "--allow", "sudo", "--create-user")
	mine := sudoAccount + " ALL=(ALL:ALL) NOPASSWD: /usr/bin/id\n"
	s.Write(sudoRule, mine, 0o440)
	s.install(t, 0, "--create-user")
	r := s.Run(t.Context(), program, "uninstall", "--token-file", token)
	if r.Code != 0 || !strings.Contains(r.Stderr, "somebody has changed it") || s.Read(sudoRule) != mine {
		t.Errorf("what somebody has changed: %s", r)
	}
	s.Must("rm", sudoRule)
	s.Must("userdel", "--remove", sudoAccount)
}

func (s sudoers) foreign(t *testing.T) {
	s.Must("useradd", "--create-home", sudoAccount)
	r := s.install(t, 0, "--allow", "sudo", "--create-user")
	said := r.Stderr[max(0, strings.Index(r.Stderr, "sudo sh -c")):]
	command, _, found := strings.Cut(strings.TrimPrefix(said, "sudo "), "' (runner=")
	if !found || s.rule() != "" {
		t.Fatalf("the rule is %q: %s", s.rule(), r)
	}
	s.Must("sh", "-c", command+"'")
	s.Must("visudo", "-c")
	if !s.becomes(t) {
		t.Errorf("after %q a job does not become root", command)
	}
	s.gone(t, name)
}
