//go:build e2e && linux

package life

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// foreign are words that no administrator of Windows knows.
var foreign = regexp.MustCompile(`\b(sudo|chmod|chown|useradd|getent|systemctl|journalctl|systemd|findmnt|timedatectl|sysctl|SIGTERM|SIGUSR1|config\.sh)\b|` +
	`"root |only root|root is needed|(^|[ "])(/usr|/opt|/etc|/var)/|--create-user needs| its unit`)

// says runs the program as does does, and fails for words that are not Windows' own.
func (h *host) says(t *testing.T, code int, words []string, arguments ...string) string {
	t.Helper()
	text := h.does(t, code, words, arguments...)
	if found := foreign.FindString(text); found != "" {
		t.Errorf("%q says %q:\n%s", arguments, found, text)
	}
	return text
}

// TestWords: what the program says is Windows' own, to somebody who is no administrator and to one who is, in success and refusal.
func TestWords(t *testing.T) {
	t.Parallel()
	h := newHost(t, boot(t), Program)
	install := []string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--token-file", token}
	with := func(more ...string) []string { return slices.Concat(install, more) }
	const become = `start the terminal by "Run as administrator"`
	h.says(t, 9, []string{"only an administrator", become, "Windows 10, build", "LongPathsEnabled", "bash"}, "doctor")
	h.says(t, 0, []string{"an administrator"}, "doctor", "--no-service", "--dir", `C:\a place`)
	h.says(t, 3, []string{"an administrator is needed", become, "hint: runner-bootstrap install"}, install...)
	for _, command := range []string{"status", "list", "uninstall"} {
		h.says(t, 0, []string{"no runner"}, command)
	}
	h.says(t, 3, []string{"no such runner"}, "logs")

	h.Elevate(Program)
	h.says(t, 0, []string{"each runner gets an account of its own"}, "doctor")
	for _, c := range []struct {
		name string
		code int
		says string
		with []string
	}{
		{"an account to make", 2, "an administrator makes accounts of Windows", []string{"--create-user", "--user", "ci"}},
		{"an account for each", 2, "--user-per-runner is for Linux", []string{"--user-per-runner", "--user", "ci"}},
		{"a sandbox of Linux", 2, "--allow is for Linux", []string{"--allow", "docker"}},
		{"a password of nobody", 2, "--password-file needs --user", []string{"--password-file", token}},
		{"no service to be somebody else", 2, "--user needs the service", []string{"--user", "NETWORK SERVICE", "--no-service"}},
		{"the system", 3, "a job would own this host", []string{"--user", "LocalSystem"}},
		{"nobody", 3, "no such account", []string{"--user", "no-such-account"}},
		{"an ordinary account without its password", 3, "its password is needed", []string{"--user", h.Must("whoami")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := h.For(t).says(t, c.code, []string{c.says}, with(c.with...)...)
			if c.code == 3 && !strings.Contains(text, "hint: ") {
				t.Errorf("no hint: %s", text)
			}
		})
	}
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub has %+v after refusals", all)
	}
}

// TestForeignService: what GitHub's own config.cmd, or anybody else, has made is named and left as it is.
func TestForeignService(t *testing.T) {
	t.Parallel()
	h := newHost(t, boot(t), Program)
	h.Elevate(Program)
	install := []string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--token-file", token}
	for command, says := range map[string]string{
		`C:\actions-runner\bin\RunnerService.exe`: "which GitHub's config.cmd --runasservice has made",
		`C:\windows\system32\other.exe`:           `starts C:\windows\system32\other.exe; it is left alone`,
	} {
		h.Must("sc", "create", service, "binPath=", command)
		h.says(t, 3, []string{"a service of this name exists that is not ours", says, "--name OTHER"}, install...)
		if held := h.Must("reg", "query", `HKLM\System\CurrentControlSet\Services\`+service); !strings.Contains(held, command) {
			t.Errorf("the service is changed: %s", held)
		}
		h.Must("sc", "delete", service)
	}
	h.Must("sc", "create", service+".host", "binPath=", `C:\windows\system32\other.exe`)
	h.says(t, 3, []string{service + ".host", "it is left alone"}, install...)
	h.Must("sc", "delete", service+".host")

	h.Write(`C:\actions-runner\`+runner+`\.runner`, "{}")
	h.Write(`C:\actions-runner\`+runner+`\.service`, service)
	h.says(t, 3, []string{"GitHub's own programs have configured a runner in it", service, "--name OTHER"}, install...)
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub has %+v after refusals", all)
	}
}

// TestAccounts: a whole life as an account that is asked for, and what is said of it. The password of one is in none of our files.
func TestAccounts(t *testing.T) {
	t.Parallel()
	h := newHost(t, boot(t), Program)
	h.Elevate(Program)
	const password, secret = `C:\secrets\password`, "Kn0wn-to-nobody"
	h.Write(password, secret+"\r\n")
	self := h.Must("whoami")
	for account, more := range map[string][]string{"NETWORK SERVICE": nil, self: {"--password-file", password}} {
		install := slices.Concat([]string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--token-file", token, "--user", account}, more)
		h.says(t, 0, []string{"listening after"}, install...)
		h.online(t)
		h.says(t, 0, []string{"running already"}, install[:len(install)-len(more)]...) // nothing is to be made
		held := strings.ToLower(h.Must("reg", "query", `HKLM\System\CurrentControlSet\Services\`+hosting))
		if name := account[strings.LastIndex(account, `\`)+1:]; !strings.Contains(strings.ReplaceAll(held, " ", ""), strings.ToLower(strings.ReplaceAll(name, " ", ""))) {
			t.Errorf("jobs of %s run in %s", account, held)
		}
		for _, command := range []string{"status", "list", "doctor", "logs"} {
			t.Log(h.says(t, 0, nil, command))
		}
		for _, file := range slices.Concat(h.Files(`C:\ProgramData\runner-bootstrap`), h.Files(`C:\actions-runner`)) {
			if text, err := os.ReadFile(h.Path(file)); err == nil && bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds the password", file)
			}
		}
		t.Log(h.says(t, 0, nil, "uninstall", "--token-file", token))
	}
}
