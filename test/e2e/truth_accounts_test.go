//go:build e2e && linux

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const (
	// extraPasswd and extraGroup are read by libnss-extrausers, which stands for a
	// directory: its accounts are in no file that a static program reads.
	extraPasswd = "/var/lib/extrausers/passwd"
	extraGroup  = "/var/lib/extrausers/group"
)

// TestAccountsOfADirectory runs jobs as an account that the name service alone knows,
// with the groups that it has there, also where it is known late at boot.
func TestAccountsOfADirectory(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	m := machine.Boot(t, machine.Options{Kind: machine.Debian12, Copy: map[string]string{built: program}})
	m.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: m, server: serve(t, m, listener)}
	m.Write(token, h.server.Token()+"\n", 0o600)
	m.Must("sed", "-i", `s/^\(passwd\|group\|shadow\):.*files.*/\1: files extrausers/`, "/etc/nsswitch.conf")
	m.Write(extraPasswd, "ciuser:*:60001:60002:CI:/home/ciuser:/usr/sbin/nologin\nCI@corp.test:*:60003:60002::/nonexistent:/bin/bash\n", 0o644)
	m.Write(extraGroup, "builders:*:60002:\nqa:*:60010:ciuser\nlocals:*:60011:local\n", 0o644)
	m.Must("install", "-d", "-o", "60001", "-g", "60002", "/home/ciuser")
	m.Must("useradd", "--create-home", "local")
	for _, step := range []struct {
		name string
		do   func(*host, *testing.T)
	}{
		{"an account of the directory", (*host).ofADirectory},
		{"known late at boot", (*host).knownLate},
		{"names of all kinds", (*host).namedOtherwise},
		{"groups of the directory", (*host).groupsOfADirectory},
		{"a number without a name", (*host).nameless},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(&host{Machine: m.For(t), server: h.server}, t) }) {
			t.Log(h.Journal())
		}
	}
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v", left)
	}
}

// words are the arguments of an install as user.
func (h *host) words(user string, more ...string) []string {
	return append([]string{
		program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token, "--user", user,
	}, more...)
}

// says runs a job and returns its output.
func (h *host) says(t *testing.T, script string) string {
	t.Helper()
	job := h.server.QueueJob(name, githubtest.Job{Name: "who", Script: script})
	return ends(t, job, "succeeded")
}

func (h *host) ofADirectory(t *testing.T) {
	h.Must(h.words("ciuser")...)
	if got := h.says(t, `id -un; id -u; id -G; echo $HOME $USER; touch "$HOME/made" && echo wrote`); got != "ciuser\n60001\n60002 60010\n/home/ciuser ciuser\nwrote\n" {
		t.Errorf("the job is %q", got)
	}
	if again := h.Run(t.Context(), h.words("ciuser", "--create-user")...); again.Code != 0 || !strings.Contains(again.Stderr, "nothing was changed") {
		t.Errorf("a second install: %s", again)
	}
	if ours := h.Must("cat", "/etc/passwd"); strings.Contains(ours, "ciuser") {
		t.Errorf("the account was created here:\n%s", ours)
	}
	if doctor := h.Run(t.Context(), program, "doctor", "--user", "ciuser"); !strings.Contains(doctor.Stdout, "ciuser: jobs run as it\n") {
		t.Errorf("doctor: %s", doctor)
	}
}

// knownLate boots with a directory that comes up after the service.
func (h *host) knownLate(t *testing.T) {
	h.Write("/etc/systemd/system/late.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 6; mv "+extraPasswd+".away "+extraPasswd+"'\n"+
		"[Install]\nWantedBy=multi-user.target\n", 0o644)
	h.Must("systemctl", "enable", "late.service")
	h.Must("mv", extraPasswd, extraPasswd+".away")
	h.Reboot()
	h.ready(t)
	h.Must("systemctl", "disable", "late.service")
	if journal := h.Must("journalctl", "--boot", "--no-pager", "--unit", unit); !strings.Contains(journal, "waiting for the runner's account") {
		t.Errorf("it did not wait:\n%s", journal)
	}
	if restarts := h.property("NRestarts"); restarts != "0" {
		t.Errorf("it was restarted %s times", restarts)
	}
	if got := h.says(t, "id -G"); got != "60002 60010\n" {
		t.Errorf("the job has the groups %q", got)
	}
	// Stopped while it waits, it ends well.
	h.Must("mv", extraPasswd, extraPasswd+".away")
	h.Must("systemctl", "restart", "--no-block", unit)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(h.property("StatusText"), "waiting for account"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %q\n%s", h.property("StatusText"), h.Journal())
		}
	}
	h.Must("systemctl", "stop", unit)
	if result := h.property("Result"); result != "success" {
		t.Errorf("stopped while it waited, its result is %q", result)
	}
	h.Must("mv", extraPasswd+".away", extraPasswd)
	h.Must(program, "uninstall", "--token-file", token)
}

func (h *host) namedOtherwise(t *testing.T) {
	h.Must(h.words("60001", "--no-service", "--dry-run")...)
	if plan := h.Must(h.words("60001", "--no-service", "--dry-run")...); !strings.Contains(plan, "ciuser") {
		t.Errorf("by its number the account is\n%s", plan)
	}
	for _, user := range []string{"nobody@corp.test", `CORP\ci`, "--help", "-x", "4294967296", "60099", "Local"} {
		r := h.Run(t.Context(), h.words(user, "--no-service")...)
		if r.Code != 3 || !strings.Contains(r.Stderr, "no such account in /etc/passwd, nor does getent know it") || strings.Contains(r.Stderr, "--create-user") {
			t.Errorf("--user %q: %s", user, r)
		}
	}
	h.Must(h.words("CI@corp.test")...)
	if got := h.says(t, `id -un; echo $HOME`); got != "CI@corp.test\n/opt/actions-runner/"+name+"\n" {
		t.Errorf("the job is %q", got)
	}
	h.Must(program, "uninstall", "--token-file", token)
}

// groupsOfADirectory: an account of the host's own may have them as well.
func (h *host) groupsOfADirectory(t *testing.T) {
	h.Must(h.words("local")...)
	want := h.Must("id", "-G", "local")
	if got := h.says(t, "id -G"); strings.TrimSpace(got) != strings.TrimSpace(want) || !strings.Contains(got, "60011") {
		t.Errorf("the job has the groups %q, want %q", got, want)
	}
	h.Must(program, "uninstall", "--token-file", token)
	// One that makes every job root is warned of, unless that is meant.
	h.Must("groupadd", "docker")
	h.Must("usermod", "--append", "--groups", "docker", "local")
	const warning = "whose members can become root"
	if r := h.Run(t.Context(), h.words("local", "--dry-run")...); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, warning) {
		t.Errorf("in group docker: %s", r)
	}
	if r := h.Run(t.Context(), h.words("local", "--dry-run", "--allow", "docker")...); r.Code != 0 || strings.Contains(r.Stdout+r.Stderr, warning) {
		t.Errorf("in group docker, which is allowed: %s", r)
	}
}

// nameless installs as a container's user whom nobody knows.
func (h *host) nameless(t *testing.T) {
	h.Must("install", "-d", "-o", "54321", "-g", "54321", "/srv/nameless")
	h.Must("install", "-o", "54321", "-m", "600", token, "/srv/nameless/token")
	as := func(words ...string) machine.Result {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return h.Run(ctx, append([]string{
			"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", program,
		}, words...)...)
	}
	in := []string{"--dir", "/srv/nameless/dir", "--token-file", "/srv/nameless/token"}
	if r := as(append([]string{"install", "--url", h.server.URL() + "/octo-org", "--name", "nameless", "--no-service"}, in...)...); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	if r := as(append([]string{"status", "--json"}, in...)...); !strings.Contains(r.Stdout, `"user": "54321"`) {
		t.Errorf("status: %s", r)
	}
	if r := as(append([]string{"uninstall"}, in...)...); r.Code != 0 {
		t.Errorf("uninstall: %s", r)
	}
}
