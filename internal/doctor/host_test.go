package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// here is a host below a directory of its own.
func here(t *testing.T) Host {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rb")
	return Host{Paths: instance.DefaultPaths(dir), Private: true, DefaultUser: "runner", Again: again}
}

func us(t *testing.T) account.User {
	t.Helper()
	user, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func TestPrivileges(t *testing.T) {
	t.Parallel()
	h := here(t)
	expect(t, h.privileges(t.Context()), OK, "", "")
	if account.Privileged() {
		h.Private, h.Service = false, true
		expect(t, h.privileges(t.Context()), OK, "", "")
		return
	}
	h.Service = true
	expect(t, h.privileges(t.Context()), Failed, "service", "doctor --no-service")
	h.Private = false
	expect(t, h.privileges(t.Context()), Failed, "only root", "sudo runner-bootstrap doctor")
}

func TestProgram(t *testing.T) {
	t.Parallel()
	h := here(t)
	h.Executable = "/usr/local/bin/runner-bootstrap"
	expect(t, h.program(t.Context()), Skipped, "--no-service", "")
	h.Service = true
	expect(t, h.program(t.Context()), OK, "", "")
	h.Executable = filepath.Join(t.TempDir(), "runner-bootstrap")
	copies := "sudo install -m 755 " + h.Executable + " "
	if runtime.GOOS == "windows" {
		copies = "robocopy "
	}
	expect(t, h.program(t.Context()), Failed, "temporary directory", copies)
	h.Executable = "/var/tmp-else/runner-bootstrap"
	expect(t, h.program(t.Context()), OK, "", "")
}

// TestWanted: an install from the cache takes what its entry says, and nothing more in the cache.
func TestWanted(t *testing.T) {
	t.Parallel()
	platform, err := download.Host()
	if err != nil {
		t.Skip("there is no runner for this platform")
	}
	h := here(t)
	whole := h.wanted()
	if usual := places.Usual(); len(whole) != 3 || whole[2].Need.Bytes != usual.Bytes/4*5 || whole[1].Need != usual || !whole[1].Given {
		t.Errorf("an empty cache: %+v", whole)
	}
	write(t, h.Paths.Cache, "a/entry.json", []byte(`{"platform":"`+platform.String()+`","version":"2.337.0","bytes":1000000,"files":7,"sha256":"`+digest+`"}`))
	if got := h.wanted(); len(got) != 2 || got[1].Path != h.Paths.Runners || got[1].Need != (places.Need{Bytes: 1000000, Files: 7}) {
		t.Errorf("with a cached runner: %+v", got)
	}
}

const digest = "0123456789012345678901234567890123456789012345678901234567890123"

func TestAccount(t *testing.T) {
	t.Parallel()
	h := here(t)
	if !account.Privileged() {
		expect(t, h.account(t.Context()), OK, "jobs run as it", "")
		h.User = "somebody-else"
		expect(t, h.account(t.Context()), Failed, "only root", "sudo runner-bootstrap doctor")
		return
	}
	h.User = "no-such-account-here"
	expect(t, h.account(t.Context()), Failed, "no such account", "sudo useradd --system --create-home no-such-account-here")
	h.User = us(t).Name
	expect(t, h.account(t.Context()), Failed, "own this host", "--user runner")
	h.User, h.DefaultUser = "", "no-such-account-here"
	if err := os.Chmod(filepath.Dir(filepath.Dir(h.Paths.State)), 0o700); err != nil {
		t.Fatal(err)
	}
	expect(t, h.account(t.Context()), Failed, "it may not list", "sudo chmod a+rx ")
	h.Paths = instance.DefaultPaths("/srv/no-such-folder-here")
	expect(t, h.account(t.Context()), OK, "it will be created", "")
}

// TestLooksLeaveNothing: whatever is looked at, nothing is made.
func TestLooksLeaveNothing(t *testing.T) {
	t.Parallel()
	h := here(t)
	h.Examine(t.Context())
	dir := filepath.Dir(filepath.Dir(h.Paths.State))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

func TestExamineKeepsItsOrder(t *testing.T) {
	t.Parallel()
	var checks []string
	for _, f := range here(t).Examine(t.Context()) {
		if len(checks) == 0 || checks[len(checks)-1] != f.Check {
			checks = append(checks, f.Check)
		}
		if f.State == Failed && f.Fix == "" {
			t.Errorf("nothing is said to mend %+v", f)
		}
	}
	want := []string{
		"privileges", "platform", "machine", "libc", "libraries", "runner", "files", "disk", "inodes", "directories", "account", "work", "systemd", "jail", "program", "selinux", "packages",
		"proxy", "dns", "tls", "ipv6", "port", "hosts", "clock", "token", "group",
	}
	if runtime.GOOS == "windows" {
		want = []string{
			"privileges", "platform", "machine", "system", "files", "disk", "directories", "account", "work", "jail", "program", "programs",
			"proxy", "dns", "tls", "ipv6", "port", "hosts", "clock", "token", "group",
		}
	}
	if !slices.Equal(checks, want) {
		t.Errorf("the checks are %q, want %q", checks, want)
	}
}

// TestExamineEnds: a check that hangs is told of and holds nobody up.
func TestExamineEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	all := here(t).Examine(ctx)
	if len(all) < 16 {
		t.Errorf("only %d findings: %+v", len(all), all)
	}
	for _, f := range all {
		if strings.Contains(f.Found, "no answer") && f.State != Failed {
			t.Errorf("a check without an answer is %+v", f)
		}
	}
}

// TestTrees: the runners of the cache for this platform, and those that are installed.
func TestTrees(t *testing.T) {
	t.Parallel()
	h := here(t)
	platform, err := download.Host()
	if err != nil {
		t.Skip("there is no runner for this platform")
	}
	const entry = `{"platform":"PLATFORM","version":"2.337.0","sha256":"` + digest + `"}`
	for name, platform := range map[string]string{"ours": platform.String(), "other": "win-arm64"} {
		write(t, h.Paths.Cache, name+"/entry.json", []byte(strings.Replace(entry, "PLATFORM", platform, 1)))
	}
	write(t, h.Paths.Runners, "web-1/bin/Runner.Listener", nil)
	write(t, h.Paths.Runners, "half/config.sh", nil)
	want := []string{filepath.Join(h.Paths.Cache, "ours", "tree"), filepath.Join(h.Paths.Runners, "web-1")}
	if got := h.trees(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	write(t, h.Paths.Runners, "web-1/bin/libSystem.Security.Cryptography.Native.OpenSsl.so", nil)
	if f := h.unpacked(t.Context())[0]; f.State != OK && f.State != Skipped && f.Object != want[1] {
		t.Errorf("got %+v", f)
	}
}

func TestJudgeJail(t *testing.T) {
	t.Parallel()
	h := Host{Again: again, Service: true}
	weak := []string{"one thing", "another"}
	expect(t, judgeJail(h, jail.Systemd, nil), OK, "transient unit", "")
	old := "systemctl --version"
	if !account.Privileged() {
		old = "sudo runner-bootstrap doctor"
	}
	expect(t, judgeJail(h, jail.Namespaces, weak), Warning, "namespaces for each life of the listener: one thing; another", old)
	h.Service = false
	expect(t, judgeJail(h, jail.Namespaces, weak), OK, "namespaces for each life of the listener: one thing; another", "")
	fix := "unshare "
	if !account.Privileged() {
		fix = "sudo runner-bootstrap doctor"
	}
	expect(t, judgeJail(h, jail.Descendants, weak), Warning, "the end of what a job has started: one thing", fix)
}

// TestJail: what would confine jobs is tried, and nothing stays of the trial.
func TestJail(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // on Windows
	h := here(t)
	found := confinement(t.Context(), h)
	if len(found) != 1 || !slices.Contains([]string{jail.Namespaces, jail.Descendants, jail.Group, jail.JobObject}, found[0].Object) {
		t.Errorf("found %+v", found)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	h.Service = true
	if found := confinement(t.Context(), h); account.Privileged() == (found[0].State == Skipped) {
		t.Errorf("with a service it found %+v", found)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	t.Setenv("TMP", filepath.Join(dir, "missing"))
	h.Service = false
	expect(t, confinement(t.Context(), h), Warning, "cannot try", "df ")
}

func TestJudgeSystemd(t *testing.T) {
	t.Parallel()
	h := Host{Again: again}
	version := strings.Join(svc.ShowVersion(), " ")
	expect(t, h.judgeSystemd(252, nil), OK, "version 252", "")
	expect(t, h.judgeSystemd(239, nil), Warning, "sandbox need 247", version)
	expect(t, h.judgeSystemd(219, nil), Failed, "the service needs 232", "--no-service")
	expect(t, h.judgeSystemd(0, fmt.Errorf("asking: %w", systemd.ErrVersion)), Warning, "does not tell", version)
	expect(t, h.judgeSystemd(0, errors.New("exit status 1")), Failed, "does not tell its version: exit status 1", version)
	expect(t, h.systemd(t.Context()), Skipped, "--no-service", "")
}

func TestExecutableLabel(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]State{
		"bin_t": OK, "shell_exec_t": OK, "initrc_exec_t": OK, "user_home_t": Failed, "user_tmp_t": Failed, "var_lib_t": Failed,
		"tmp_t": Failed, "default_t": Failed, "admin_home_t": Failed, "usr_t": Failed, "unlabeled_t": Failed, "": Warning, "ours_t": Warning,
	} {
		if got := executableLabel(kind); got != want {
			t.Errorf("%q is %s, want %s", kind, got, want)
		}
	}
	if runtime.GOOS == "windows" {
		return // where there is no SELinux
	}
	for path, want := range map[string]string{
		"/usr/local/bin/rb": "sudo restorecon -Rv /usr/local/bin/rb", "/home/me/rb": "sudo install -m 755 /home/me/rb /usr/local/bin/rb",
	} {
		h := Host{Again: again, Executable: path}
		if f := h.labelled("selinux", path, Failed); len(f) != 1 || f[0].Fix != want {
			t.Errorf("%s: %+v, want %q", path, f, want)
		}
	}
}
