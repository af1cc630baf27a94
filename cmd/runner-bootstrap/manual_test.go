package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// files that the command writes, with their modes.
func manualFiles() map[string]fs.FileMode {
	return map[string]fs.FileMode{
		"runner-bootstrap.1": 0o644, "runner-bootstrap.bash": 0o644, "_runner-bootstrap": 0o644, "runner-bootstrap.ps1": 0o644, "runner-bootstrap.fish": 0o644,
		"config.yaml": 0o600,
	}
}

// manual writes everything into a new directory.
func manual(t *testing.T, date string) (string, *cobra.Command) {
	t.Helper()
	root := newRoot(&session{})
	dir := filepath.Join(t.TempDir(), "made")
	if err := writeManual(root, dir, date); err != nil {
		t.Fatal(err)
	}
	return dir, root
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestManualCommand: it wants one directory, reads the date of the source, and is no
// command that help shows.
func TestManualCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	t.Setenv("SOURCE_DATE_EPOCH", "1795432784")
	call := &session{}
	root := &cobra.Command{Use: "runner-bootstrap", Short: "Turn", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newManual(call))
	root.SetArgs([]string{"manual", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, dir, "runner-bootstrap.1"), `"2026-11-23"`) {
		t.Error("the page is not of the day that SOURCE_DATE_EPOCH says")
	}
	if newManual(call).IsAvailableCommand() {
		t.Error("help shows a command that is for those who make packages")
	}
	for name, arguments := range map[string][]string{"none": {"manual"}, "two": {"manual", dir, dir}} {
		root.SetArgs(arguments)
		if err := root.Execute(); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v, want a usage error", name, err)
		}
	}
	for _, epoch := range []string{"today", "-1", "1.5"} {
		if _, err := sourceDate(epoch); !errors.Is(err, errUsage) {
			t.Errorf("SOURCE_DATE_EPOCH=%s: %v, want a usage error", epoch, err)
		}
	}
}

// TestManualRepeats: the same program writes the same bytes, over what is there.
func TestManualRepeats(t *testing.T) {
	t.Parallel()
	dir, root := manual(t, "")
	first := map[string]string{}
	for name, mode := range manualFiles() {
		first[name] = read(t, dir, name)
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || runtime.GOOS != "windows" && info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, mode)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(first) {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	if err := writeManual(root, dir, ""); err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if text != read(t, dir, name) {
			t.Errorf("%s differs from the one before", name)
		}
	}
	file := filepath.Join(dir, "config.yaml")
	if err := writeManual(root, file, ""); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// TestManualPage reads the page back as a person would.
func TestManualPage(t *testing.T) {
	t.Parallel()
	dir, root := manual(t, "2026-11-23")
	page := filepath.Join(dir, "runner-bootstrap.1")
	plain := rendered(t, page)
	for _, o := range declaredOptions() {
		heading := o.typedName()
		usage := o.usage
		if o.fallback != "" {
			usage += " (default " + o.fallback + ")"
		}
		for _, want := range []string{"\n       " + heading + "\n", "\n       " + o.variable() + "\nAs --" + o.name + ".\n"} {
			if !strings.Contains(plain, want) {
				t.Errorf("option %s: the page does not say %q", o.name, want)
			}
		}
		if !strings.Contains(words(plain), words(usage+". Commands: "+o.commandList()+".")) {
			t.Errorf("option %s: the page does not say %q", o.name, usage)
		}
	}
	for _, want := range []string{
		"GH_TOKEN The access token.", "RUNNER_TOKEN For the registration token, which was made elsewhere.",
		"sudo runner-bootstrap install --url https://github.com/OWNER/REPO",
	} {
		if !strings.Contains(words(plain), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	paths := instance.DefaultPaths("")
	for _, path := range []string{paths.Config, paths.State, paths.Runners, paths.Cache} {
		if !strings.Contains(plain, "\n       "+path+"\n") {
			t.Errorf("the page does not name the file %s", path)
		}
	}
	var leaves func(*cobra.Command)
	leaves = func(parent *cobra.Command) {
		for _, c := range parent.Commands() {
			switch {
			case c.HasSubCommands():
				leaves(c)
			case c.IsAvailableCommand():
				if !strings.Contains(words(plain), words(strings.TrimSuffix(c.Long, "."))) {
					t.Errorf("command %s: the page does not say %q", commandKey(c), c.Long)
				}
			}
		}
	}
	leaves(root)
	for _, c := range exitCodes() {
		if !strings.Contains(words(plain), words(c.means+". A script should: "+c.should+".")) {
			t.Errorf("exit code %d: the page does not say %q", c.code, c.means)
		}
	}
}

// TestRoff: nothing that a text holds may mean something to roff.
func TestRoff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"dash":          {"--url", `\-\-url`},
		"path":          {`C:\dir`, `C:\edir`},
		"request":       {".env\n.SH", "\\&.env\n\\&.SH"},
		"dot inside":    {"the .env", "the .env"},
		"other control": {"'tis", `\(aqtis`},
		"signs":         {"`^~", `\(ga\(ha\(ti`},
	} {
		if got := roff(c.text); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", name, c.text, got, c.want)
		}
	}
	if got, want := quoted(`say "a-b"`), `"say \(dqa\-b\(dq"`; got != want {
		t.Errorf("as an argument it becomes %s, want %s", got, want)
	}
}

func TestCommandList(t *testing.T) {
	t.Parallel()
	const api = "those about GitHub (runners, labels, groups, downloads, token, jitconfig)"
	for commands, want := range map[string]string{
		everyCommand: "all", "cache-prune": "cache prune", "install prepare " + scopeCommands: "install, prepare, " + api,
		"install " + scopeCommands + " run": "install, " + api + ", run",
	} {
		if got := (option{commands: commands}).commandList(); got != want {
			t.Errorf("%q becomes %q, want %q", commands, got, want)
		}
	}
}

// words is text with one blank between words.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// rendered undoes what roff would do, for a page that uses few of its requests, and
// fails for any other.
func rendered(t *testing.T, file string) string {
	t.Helper()
	known := regexp.MustCompile(`^\.(TH|SH|SS|TP|PP|BR|B|I|RI|br|nh|ad l|nf|fi)( |$)`)
	arguments := regexp.MustCompile(`"([^"]*)"`)
	var plain strings.Builder
	for line := range strings.Lines(read(t, file)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "'") {
			t.Errorf("a line begins with roff's second control character: %q", line)
		}
		if strings.HasPrefix(line, ".") {
			request := known.FindString(line)
			if request == "" {
				t.Errorf("not a request of man(7) that is used here: %q", line)
			}
			line = "       " + arguments.ReplaceAllString(strings.TrimPrefix(line, request), "$1")
			line = regexp.MustCompile(`^ +`).ReplaceAllString(strings.ReplaceAll(line, "  ", " "), "       ")
		}
		plain.WriteString(line + "\n")
	}
	text := strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~", `\(dq`, `"`, `\&`, "", `\e`, `\`).Replace(plain.String())
	return text
}

// TestManualPageIsClean asks the programs that show manual pages, those that are here.
func TestManualPageIsClean(t *testing.T) {
	t.Parallel()
	dir, _ := manual(t, "2026-11-23")
	page := filepath.Join(dir, "runner-bootstrap.1")
	for _, judge := range [][]string{{"man", "--warnings", "-E", "UTF-8", "-l", page}, {"mandoc", "-T", "lint", "-W", "style", page}} {
		if _, err := exec.LookPath(judge[0]); err != nil {
			continue
		}
		cmd := exec.CommandContext(t.Context(), judge[0], judge[1:]...)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "MANPAGER=cat", "LC_ALL=C.UTF-8")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		said := errs.String()
		if judge[0] == "mandoc" {
			said += out.String()
		}
		// An installation that leaves the manuals out has a stand-in for man.
		if err != nil && !strings.Contains(said, page) && strings.Contains(said, "No manual entry") {
			continue
		}
		if err != nil || said != "" {
			t.Errorf("%s: %v\n%s", strings.Join(judge, " "), err, said)
		}
	}
}

// TestConfigTemplate: as it is made it sets nothing, and every line of it may be put
// to use.
func TestConfigTemplate(t *testing.T) {
	t.Parallel()
	dir, _ := manual(t, "")
	file := filepath.Join(dir, "config.yaml")
	if set, err := readConfig(file, []byte(read(t, file))); err != nil || len(set) != 0 {
		t.Fatalf("the file sets %v, %v; want nothing", set, err)
	}
	used := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(read(t, file), "$1")
	if err := os.WriteFile(file, []byte(used), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := readConfig(file, []byte(used))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range declaredOptions() {
		i := slices.IndexFunc(set, func(s config.Setting) bool { return s.Key == o.name })
		there := i >= 0
		if there == (o.name == "config" || o.foreign("install")) {
			t.Errorf("key %s is there: %t", o.name, there)
		}
		if !there {
			continue
		}
		text := ""
		if len(set[i].Items) == 1 {
			text = set[i].Items[0].Text
		}
		if o.fallback != "" && text != o.fallback {
			t.Errorf("key %s: %q, want its default %q", o.name, text, o.fallback)
		}
		if !strings.Contains(words(strings.ReplaceAll(used, "\n#", "")), words(o.meaning())) {
			t.Errorf("key %s is not explained", o.name)
		}
	}
	for line := range strings.Lines(used) {
		if len(line) > 81 {
			t.Errorf("a line is longer than a terminal: %q", line)
		}
	}
}

// TestCompletions: each shell's file names the program, and bash and zsh can read theirs.
func TestCompletions(t *testing.T) {
	t.Parallel()
	dir, _ := manual(t, "")
	for shell, file := range map[string]string{"bash": "runner-bootstrap.bash", "zsh": "_runner-bootstrap", "fish": "runner-bootstrap.fish"} {
		if text := read(t, dir, file); !strings.Contains(text, shell+" completion") || !strings.Contains(text, "runner-bootstrap") {
			t.Errorf("%s is no completion for %s:\n%.200s", file, shell, text)
		}
		if _, err := exec.LookPath(shell); err != nil || runtime.GOOS == "windows" {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), shell, "-n", filepath.Join(dir, file)).CombinedOutput(); err != nil {
			t.Errorf("%s -n %s: %v\n%s", shell, file, err, out)
		}
	}
}

// What an example is about begins a paragraph: behind a text it would be the end of that.
func TestPageSetsExamplesApart(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	if err := writePage(&text, newRoot(&session{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}}), ""); err != nil {
		t.Fatal(err)
	}
	lines, seen := strings.Split(text.String(), "\n"), 0
	for _, e := range examplesOf("install") {
		about, _, _ := strings.Cut(roff(e.about), " ") // its first word: the rest may be in another line
		for i, line := range lines[1:] {
			if strings.HasPrefix(line, about+" ") && lines[i] == ".PP" {
				seen++
				break
			}
		}
	}
	if want := len(examplesOf("install")); seen != want || want == 0 {
		t.Errorf("%d of %d examples begin a paragraph", seen, want)
	}
}
