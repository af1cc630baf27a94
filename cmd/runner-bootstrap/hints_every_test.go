package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// takesAway are the causes under which a runner may be told to go: it does not work, or is not to be in an image.
func takesAway() []error {
	return []error{plan.ErrDamaged, instance.ErrRemoving, register.ErrTooOld, bootstrap.ErrNotClean}
}

// Every hint is a command that a shell parses, and each call of this program in it is one that the program understands. None
// takes away a runner that works.
func TestEveryHintParses(t *testing.T) {
	t.Parallel()
	checked := map[string]bool{}
	everyHint(t, shell.Unix(), func(m meaning, arguments []string, hint string) {
		if !checked[hint] {
			checkHint(t, fmt.Sprintf("%v after %q", m.of, arguments), hint)
		}
		checked[hint] = true
		removes := strings.Contains(hint, "runner-bootstrap uninstall") && arguments[0] != "uninstall"
		if removes && !slices.Contains(takesAway(), m.of) {
			t.Errorf("%v after %q: %q takes a runner away", m.of, arguments, hint)
		}
	})
}

// Every hint on Windows is one that cmd.exe and PowerShell read alike, and that names nothing of another system's.
func TestEveryHintOfWindows(t *testing.T) {
	t.Parallel()
	count := 0
	everyHint(t, shell.Windows(), func(m meaning, arguments []string, hint string) {
		count++
		if strings.HasPrefix(hint, "systemctl ") && runtime.GOOS != "windows" {
			return // the service manager's words are those of this system
		}
		if found := foreignToWindows.FindString(hint); found != "" {
			t.Errorf("%v after %q: the hint %q has %q, which Windows does not know", m.of, arguments, hint, found)
		}
	})
	if count < 100 {
		t.Errorf("%d hints were looked at", count)
	}
}

// foreignToWindows are words of other systems, and marks that cmd.exe or Windows PowerShell do not read as the other one does.
var foreignToWindows = regexp.MustCompile(`\b(sudo|chmod|chown|useradd|usermod|getent|install -m|install -D|systemctl|journalctl|u?mount|findmnt|lsns|sysctl|timedatectl|` +
	`xdg-open|curl -|df|uname|kill|ps -|ls -|mv|env -u|export|sleep|openssl|namei)\b|(^|[ ="])(/usr|/opt|/etc|/var|~)|'|&&|;`)

// everyHint is told each hint that there is on a system.
func everyHint(t *testing.T, of shell.System, tell func(m meaning, arguments []string, hint string)) {
	t.Helper()
	calls := [][]string{
		{"install", "--url", "https://github.com/octo-org/hello", "--name", "web-1", "--labels", "a b,c'd", "--env", "A=b c", "--token-file", "/x y"},
		{"install"},
		{"uninstall", "--name", "web-1", "--token-file", "-"},
		{"status"},
		{"run", "--name", "web-1"},
		{"runners", "list", "--url", "https://github.com/octo-org"},
	}
	for _, m := range meanings() {
		for _, arguments := range calls {
			call := parsed(t, arguments)
			call.system = of
			if of.AsRoot == "" {
				arguments = slices.Clone(arguments)
				for i := range arguments {
					arguments[i] = strings.ReplaceAll(arguments[i], "c'd", "c&d")
				}
				call.arguments = arguments
			}
			detail := "process 17"
			if errors.Is(m.of, plan.ErrOtherUpdate) { // which the hint keeps
				detail = instance.UpdateRunner
			}
			for _, err := range []error{
				fmt.Errorf("doing it: %w", m.of),
				fmt.Errorf("doing it: %w", &refusal.Error{Object: "it", Reason: m.of, Detail: detail, Name: "web 1"}),
			} {
				tell(m, arguments, m.hint(call, err))
			}
		}
	}
}

// parsed is a call of the program as it is when it fails.
func parsed(t *testing.T, arguments []string) *session {
	t.Helper()
	call := &session{streams: streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}, arguments: arguments}
	call.console = newConsole(call.err, callOptions{logFormat: "auto", logLevel: "info"})
	root := newRoot(call)
	command, rest, err := root.Find(arguments)
	if err != nil {
		t.Fatal(err)
	}
	call.running, call.options = command, call.groups[command]
	if err := command.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	return call
}

func checkHint(t *testing.T, about, hint string) {
	t.Helper()
	if hint == "" {
		return // it is said who has to change what, where no command helps
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-nc", hint).CombinedOutput(); err != nil {
		t.Errorf("%s: the hint %q is no command: %s", about, hint, out)
		return
	}
	// A shell reads the words, and shows those of this program.
	show := `runner-bootstrap() { printf '%s\0' "$@"; printf '\n'; }
sudo() { while case $1 in --preserve-env=*) :;; *) false;; esac; do shift; done; case $1 in *runner-bootstrap*) shift; runner-bootstrap "$@";; esac; }
for name in gh xdg-open curl kill sleep mv chmod umount mount env findmnt df ps getent systemctl journalctl lsns openssl uname timedatectl cat; do
	eval "$name() { :; }"
done
PATH=/nonexistent
` + strings.NewReplacer("&&", ";", "|", ";", "env -u SSL_CERT_DIR ", "").Replace(hint)
	shell := exec.CommandContext(t.Context(), "bash", "-c", show)
	shell.Dir = t.TempDir() // an example may write a file
	out, err := shell.CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("command not found")) && len(out) > 0 && !bytes.Contains(out, []byte{0}) {
		t.Errorf("%s: the hint %q: %v\n%s", about, hint, err, out)
	}
	for line := range bytes.Lines(out) {
		if !bytes.Contains(line, []byte{0}) {
			continue
		}
		words := strings.Split(strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\x00"), "\x00")
		root := newRoot(&session{streams: streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}})
		command, rest, err := root.Find(joined(words))
		if err == nil && command.Runnable() {
			if err = command.ParseFlags(rest); err == nil && !slices.Contains(words, "--help") {
				err = command.ValidateArgs(command.Flags().Args())
			}
		}
		if err != nil && !slices.Contains(words, "--help") {
			t.Errorf("%s: %q is not understood: %v", about, words, err)
		}
	}
}
