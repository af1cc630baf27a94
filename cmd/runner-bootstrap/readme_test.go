package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of the reference, and other files that are made of the program")

// guides are what says how it is used.
const guides = "../../docs/guides"

// TestReadmeTables holds the tables of the reference to what the program is made of.
func TestReadmeTables(t *testing.T) {
	for name, table := range map[string]string{"options": optionsTable(), "exit-codes": exitCodesTable()} {
		file := filepath.Join("../../docs/reference", name+".md")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := section(t, string(text), name, table)
		if want == string(text) {
			continue
		}
		if !*update {
			t.Fatalf("%s differs from the program; run: go test ./cmd/runner-bootstrap -run TestReadmeTables -update", file)
		}
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // a public text
			t.Fatal(err)
		}
	}
}

// section replaces what stands between the two marks called name.
func section(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("there is no section %q", name)
	}
	return before + begin + table + end + after
}

func optionsTable() string {
	var b strings.Builder
	var under heading
	for _, o := range declaredOptions() {
		if o.under != under {
			under = o.under
			fmt.Fprintf(&b, "\n## %s\n\n| option | commands | meaning |\n|---|---|---|\n", under)
		}
		typed := strings.Fields(strings.Replace(o.commands, scopeCommands, "API", 1))
		for i, key := range typed {
			typed[i] = typedCommand(key)
		}
		commands := strings.Join(typed, ", ")
		if o.commands == everyCommand {
			commands = "all"
		}
		meaning := o.withDefault(o.usage)
		switch {
		case o.only.to == linuxAlone:
			meaning += "; Linux only. On Windows, " + o.only.instead
		case o.only.to == windowsAlone:
			meaning += "; Windows only"
		case o.windows != "":
			meaning += ". On Windows: " + o.withDefault(o.windows)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.typedName(), commands, meaning)
	}
	return b.String() + "\n"
}

func exitCodesTable() string {
	var b strings.Builder
	b.WriteString("| code | meaning | a script should |\n|---|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", c.code, c.means, c.should)
	}
	return b.String()
}

// TestReadmeQuickstarts: each way to a runner is shown as it is tested on machines that boot (test/e2e).
func TestReadmeQuickstarts(t *testing.T) {
	text := guidesText(t)
	files, err := filepath.Glob("../../packaging/quickstart/*.sh")
	if err != nil || len(files) != 3 {
		t.Fatalf("quickstarts %q: %v", files, err)
	}
	for _, file := range files {
		commands, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "```sh\n"+string(commands)+"```\n") {
			t.Errorf("no guide shows %s as it is:\n%s", file, commands)
		}
	}
}

// guidesText is the text of all guides.
func guidesText(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(guides + "/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("guides %q: %v", files, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// scripts is the text of all scripts, those that need systemd included.
func scripts(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestEveryExitCodeHasAScript: an exit code that nobody has seen is a promise
// that nobody has kept.
func TestEveryExitCodeHasAScript(t *testing.T) {
	all := scripts(t)
	for _, c := range exitCodes() {
		shown := regexp.MustCompile(`(?m)(^(\[\S+\] )*code ` + strconv.Itoa(c.code) + ` |\^code ` + strconv.Itoa(c.code) + `\$)`)
		if c.code != exitDone && !shown.MatchString(all) {
			t.Errorf("no script shows exit code %d (%s)", c.code, c.means)
		}
	}
}

// TestEveryOptionHasAScript likewise.
func TestEveryOptionHasAScript(t *testing.T) {
	all := scripts(t)
	for _, o := range declaredOptions() {
		flag := regexp.MustCompile(`--` + o.name + `[ \n=']`)
		if !flag.MatchString(all) && !strings.Contains(all, o.variable()+"=") {
			t.Errorf("no script uses --%s", o.name)
		}
	}
}
