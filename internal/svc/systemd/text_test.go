//go:build !windows

package systemd

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

var update = flag.Bool("update", false, "write the golden files again")

func example() svc.Unit {
	return svc.Unit{
		Name:            "actions.runner.octo-org.web-1",
		Description:     "GitHub Actions runner web-1 (100% ours)",
		Documentation:   "https://docs.github.com/actions man:systemd.service(5)",
		Executable:      "/usr/bin/env",
		Args:            []string{"run", "--name", "web-1", "a b", `"$HOME" is \here\`, "50%", ""},
		Directory:       "/",
		StopTimeout:     90*time.Second + time.Millisecond,
		NoRestartStatus: []int{2, 3, 4},
		Mounts:          []string{"/srv/runner", `/srv/100% "wide" \ $HOME`},
	}
}

// examples are units for all kinds of text, by the name of their golden file.
func examples() map[string]svc.Unit {
	bare := svc.Unit{Name: "bare", Executable: "/usr/bin/env", Directory: "/"}
	sandboxed := example()
	sandboxed.Notify, sandboxed.Watchdog, sandboxed.StartTimeout = true, 20*time.Second, 5*time.Minute
	sandboxed.RuntimeFolder = "ours"
	sandboxed.Sandbox = svc.Sandbox{Enabled: true, Writable: []string{
		"/srv/runner", "/home/runner", `/srv/100% "wide" \ $HOME`, "/dev/dri/renderD128", "/developers",
	}}
	sudo, docker, both := bare, bare, bare
	sudo.Sandbox = svc.Sandbox{Enabled: true, Sudo: true, Writable: []string{"/srv"}}
	docker.Sandbox = svc.Sandbox{Enabled: true, Docker: true, Writable: []string{"/tmp/x"}}
	both.Sandbox = svc.Sandbox{Enabled: true, Sudo: true, Docker: true}
	apart, free := sandboxed, bare
	apart.Sandbox.Apart, apart.Sandbox.Sudo = true, true
	apart.Keeps = []string{"listener.actions.runner.octo-org.web-1", "register.actions.runner.octo-org.web-1"}
	free.Sandbox = svc.Sandbox{Apart: true}
	return map[string]svc.Unit{
		"full": example(), "bare": bare, "sandboxed": sandboxed,
		"sandboxed-sudo": sudo, "sandboxed-docker": docker, "sandboxed-both": both,
		"apart": apart, "apart-free": free,
	}
}

func text(t *testing.T, u svc.Unit) string {
	t.Helper()
	s, err := New(u)
	if err != nil {
		t.Fatal(err)
	}
	return s.Text()
}

func TestTextGolden(t *testing.T) {
	for name, u := range examples() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".service")
			got := text(t, u)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("unit is\n%s\nnot\n%s", got, want)
			}
		})
	}
}

// TestTextVerified has systemd's own parser read the unit. It exits with 0 whatever it finds, so that every word
// it says counts.
func TestTextVerified(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: apt-get install systemd")
		}
		t.Skip("systemd-analyze is missing")
	}
	for name, u := range examples() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), u.Name+".service")
			if err := os.WriteFile(file, []byte(text(t, u)), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
			if err != nil || len(bytes.TrimSpace(out)) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		name       string
		executable string
		args       []string
		want       string
	}{
		{"no arguments", "/usr/bin/a", nil, "/usr/bin/a"},
		{"plain words stay", "/usr/bin/a", []string{"run", "--name=web-1", "x@y:z"}, "/usr/bin/a run --name=web-1 x@y:z"},
		{"blank in the path", "/opt/my app/a", nil, `"/opt/my app/a"`},
		{"percent in the path", "/opt/%n", nil, "/opt/%%n"},
		{"blank", "/a", []string{"a b"}, `/a "a b"`},
		{"empty", "/a", []string{""}, `/a ""`},
		{"variable", "/a", []string{"$HOME", "${X}"}, `/a $$HOME "$${X}"`},
		{"quotes", "/a", []string{`"`, "'"}, `/a "\"" "'"`},
		{"backslash", "/a", []string{`\`}, `/a "\\"`},
		{"second command", "/a", []string{";"}, `/a ";"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := execLine(c.executable, c.args); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, arg := range []string{"", "a b", `\`, `"`, "'", "%", "%%n", "$", "$$", "${HOME}", ";", "#", "é", `\x41`, "~", "\u00a0"} {
		f.Add(arg, "after")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		u := svc.Unit{Name: "fuzz", Executable: "/opt/a b", Args: []string{first, second}, Directory: "/"}
		s, err := New(u)
		if err != nil {
			if svc.CheckText(first) == nil && svc.CheckText(second) == nil {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		line, ok := "", false
		for l := range strings.Lines(s.Text()) {
			if rest, found := strings.CutPrefix(l, "ExecStart="); found {
				line, ok = strings.TrimSuffix(rest, "\n"), true
			}
		}
		if !ok || strings.Count(s.Text(), "\n") != strings.Count(text(t, svc.Unit{Name: "x", Executable: "/x", Directory: "/"}), "\n") {
			t.Fatalf("an argument added lines:\n%s", s.Text())
		}
		if got := splitAsSystemd(t, line); !slices.Equal(got, append([]string{u.Executable}, u.Args...)) {
			t.Fatalf("%q is read as %q", line, got)
		}
	})
}

// splitAsSystemd reads a command as systemd.syntax(7) and systemd.service(5) say: words with quotes and C escapes,
// then specifiers, then variables, which are all unset here.
func splitAsSystemd(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for rest := strings.TrimLeft(line, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if rest[0] == ';' && (len(rest) == 1 || rest[1] == ' ') {
			t.Fatalf("%q starts a second command", line)
		}
		var word string
		word, rest = wordAsSystemd(t, rest)
		words = append(words, word)
	}
	for i, word := range words {
		word = undouble(t, word, '%')
		if i > 0 {
			word = undouble(t, word, '$')
		}
		words[i] = word
	}
	return words
}

func wordAsSystemd(t *testing.T, rest string) (word, after string) {
	t.Helper()
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c == '\\':
			i++
			if i == len(rest) || !strings.ContainsRune(`\"'`, rune(rest[i])) {
				t.Fatalf("unknown escape in %q", rest)
			}
			b.WriteByte(rest[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), rest[i:]
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		t.Fatalf("unclosed quote in %q", rest)
	}
	return b.String(), ""
}

func undouble(t *testing.T, word string, mark byte) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] == mark {
			i++
			if i == len(word) || word[i] != mark {
				t.Fatalf("single %q in %q", mark, word)
			}
		}
		b.WriteByte(word[i])
	}
	return b.String()
}

func TestValidation(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(u *svc.Unit)
		want  string // in the error; none expected if empty
	}{
		{"example", func(*svc.Unit) {}, ""},
		{"longest name", func(u *svc.Unit) { u.Name = strings.Repeat("n", 200) }, ""},
		{"no name", func(u *svc.Unit) { u.Name = "" }, "name is empty"},
		{"long name", func(u *svc.Unit) { u.Name = strings.Repeat("n", 201) }, "201 characters"},
		{"path as name", func(u *svc.Unit) { u.Name = "../x" }, "starts with a dash or a dot"},
		{"slash in name", func(u *svc.Unit) { u.Name = "a/b" }, "holds '/'"},
		{"glob in name", func(u *svc.Unit) { u.Name = "a*" }, "holds '*'"},
		{"template", func(u *svc.Unit) { u.Name = "a@b" }, "holds '@'"},
		{"option as name", func(u *svc.Unit) { u.Name = "--root=x" }, "starts with a dash or a dot"},
		{"unit as name", func(u *svc.Unit) { u.Name = "a.service" }, `must not carry ".service"`},
		{"line break in description", func(u *svc.Unit) { u.Description = "a\n[Service]" }, "control character"},
		{"carriage return in argument", func(u *svc.Unit) { u.Args = []string{"ok", "a\rb"} }, "argument 2"},
		{"NUL in argument", func(u *svc.Unit) { u.Args = []string{"\x00"} }, "control character"},
		{"next line in argument", func(u *svc.Unit) { u.Args = []string{"\u0085"} }, "control character"},
		{"template in argument", func(u *svc.Unit) { u.Args = []string{"{{Name}}"} }, `holds "{{"`},
		{"template in description", func(u *svc.Unit) { u.Description = "{{" }, `holds "{{"`},
		{"not UTF-8", func(u *svc.Unit) { u.Args = []string{"\xff"} }, "not UTF-8"},
		{"continued description", func(u *svc.Unit) { u.Description = `a\` }, "ends with a backslash"},
		{"continued directory", func(u *svc.Unit) { u.Directory = `/a\` }, "ends with a backslash"},
		{"blank after directory", func(u *svc.Unit) { u.Directory = "/a " }, "ends with a blank"},
		{"relative executable", func(u *svc.Unit) { u.Executable = "bin/a" }, "not a clean absolute path"},
		{"no executable", func(u *svc.Unit) { u.Executable = "" }, "not a clean absolute path"},
		{"unclean executable", func(u *svc.Unit) { u.Executable = "/usr/../a" }, "not a clean absolute path"},
		{"variable in executable", func(u *svc.Unit) { u.Executable = "/$a" }, "dollar sign"},
		{"relative directory", func(u *svc.Unit) { u.Directory = "." }, "not a clean absolute path"},
		{"words as documentation", func(u *svc.Unit) { u.Documentation = "https://x see there" }, "not an address"},
		{"all new things", func(u *svc.Unit) { *u = examples()["sandboxed"] }, ""},
		{"negative start timeout", func(u *svc.Unit) { u.StartTimeout = -1 }, "start timeout"},
		{"eternal start timeout", func(u *svc.Unit) { u.StartTimeout = 1 << 62 }, "start timeout"},
		{"negative watchdog", func(u *svc.Unit) { u.Notify, u.Watchdog = true, -1 }, "watchdog -1ns"},
		{"eternal watchdog", func(u *svc.Unit) { u.Notify, u.Watchdog = true, 1<<62 }, "not between 0 and a week"},
		{"hasty watchdog", func(u *svc.Unit) { u.Notify, u.Watchdog = true, time.Second-1 }, "under a second"},
		{"shortest watchdog", func(u *svc.Unit) { u.Notify, u.Watchdog = true, time.Second }, ""},
		{"watchdog of the mute", func(u *svc.Unit) { u.Watchdog = time.Minute }, "does not notify"},
		{"foreign text among units", func(u *svc.Unit) { u.Keeps = []string{"a", "b; rm"} }, "which it keeps"},
		{"relative writable", func(u *svc.Unit) { sandbox(u, "srv") }, "not a clean absolute path"},
		{"unclean writable", func(u *svc.Unit) { sandbox(u, "/srv/") }, "not a clean absolute path"},
		{"line break in writable", func(u *svc.Unit) { sandbox(u, "/srv\nUser=x") }, "control character"},
		{"template in writable", func(u *svc.Unit) { sandbox(u, "/{{") }, `holds "{{"`},
		{"all writable", func(u *svc.Unit) { sandbox(u, "/") }, "nothing protected"},
		{"all devices", func(u *svc.Unit) { sandbox(u, "/dev") }, "not the name of a device"},
		{"device with options", func(u *svc.Unit) { sandbox(u, "/dev/a:/etc") }, "not the name of a device"},
		{"device with access", func(u *svc.Unit) { sandbox(u, "/dev/a rwm") }, "not the name of a device"},
		{"writable below /tmp", func(u *svc.Unit) { sandbox(u, "/tmp/a") }, "temporary folder of its own"},
		{"directory below /var/tmp", func(u *svc.Unit) { sandbox(u); u.Directory = "/var/tmp/a" }, "temporary folder of its own"},
		{"executable below /tmp", func(u *svc.Unit) { sandbox(u); u.Executable = "/tmp/a" }, "temporary folder of its own"},
		{"directory /tmp itself", func(u *svc.Unit) { sandbox(u); u.Directory = "/tmp" }, ""},
		{"below /tmp with Docker", func(u *svc.Unit) { sandbox(u, "/tmp/a"); u.Sandbox.Docker = true }, ""},
		{"below /tmp without a sandbox", func(u *svc.Unit) { sandbox(u, "/tmp/a"); u.Sandbox.Enabled = false }, ""},
		{"negative timeout", func(u *svc.Unit) { u.StopTimeout = -1 }, "stop timeout"},
		{"eternal timeout", func(u *svc.Unit) { u.StopTimeout = 1 << 62 }, "stop timeout"},
		{"success as failure", func(u *svc.Unit) { u.NoRestartStatus = []int{0} }, "exit code 0"},
		{"impossible code", func(u *svc.Unit) { u.NoRestartStatus = []int{256} }, "exit code 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := example()
			c.spoil(&u)
			s, err := New(u)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
			case err == nil:
				t.Errorf("accepted:\n%s", s.Text())
			case !strings.Contains(err.Error(), c.want) || strings.IndexFunc(err.Error(), unprintable) >= 0:
				t.Errorf("error is %q, without %q", err, c.want)
			}
		})
	}
	if _, err := Named("a/b"); err == nil {
		t.Error("Named accepted a path")
	}
}

func sandbox(u *svc.Unit, writable ...string) {
	u.Sandbox = svc.Sandbox{Enabled: true, Writable: writable}
}

// unprintable finds what must not reach a terminal by way of a quoted value.
func unprintable(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

// TestSandboxOfTheProgramAlone: with jobs elsewhere the program's own sandbox is never weaker than the one for both, and what
// jobs may does not count.
func TestSandboxOfTheProgramAlone(t *testing.T) {
	t.Parallel()
	lines := func(s svc.Sandbox) []string {
		var all []string
		renderSandbox(s, func(key, value string) { all = append(all, key+"="+value) })
		return all
	}
	with, alone := lines(svc.Sandbox{Enabled: true}), lines(svc.Sandbox{Enabled: true, Apart: true})
	for _, line := range with {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "BindPaths", "DeviceAllow", "ReadWritePaths", "SystemCallArchitectures":
			continue // it has less of these
		case "SystemCallFilter":
			if !slices.ContainsFunc(alone, func(l string) bool { return strings.HasPrefix(l, key+"="+value) }) {
				t.Errorf("the program may call what jobs may not: %s", line)
			}
			continue
		}
		if !slices.Contains(alone, line) {
			t.Errorf("the program goes without %s", line)
		}
	}
	if got := lines(svc.Sandbox{Enabled: true, Apart: true, Sudo: true}); !slices.Equal(got, alone) {
		t.Errorf("sudo for jobs changes it to %q", got)
	}
	if got := lines(svc.Sandbox{Apart: true}); len(got) > 0 {
		t.Errorf("one that is switched off has %q", got)
	}
}

// TestUnfit: where the program alone is to blame that is known, so that people put it elsewhere.
func TestUnfit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil   func(u *svc.Unit)
		program string
	}{
		"program":     {func(u *svc.Unit) { u.Executable = "/$a" }, "/$a"},
		"description": {func(u *svc.Unit) { u.Description = "a\nb" }, ""},
		"both":        {func(u *svc.Unit) { u.Executable, u.Description = "/$a", "a\nb" }, ""},
	} {
		u := example()
		c.spoil(&u)
		_, err := New(u)
		var unfit *svc.UnfitError
		if !errors.As(err, &unfit) || !errors.Is(err, svc.ErrUnfit) || unfit.Program != c.program {
			t.Errorf("%s: %v, %+v", name, err, unfit)
		}
	}
}
