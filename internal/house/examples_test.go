package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// example is a small tree. Want is part of the only finding that its rule
// makes, or empty where the tree keeps the rule.
type example struct {
	rule  string
	name  string
	files map[string]string
	want  string
}

// TestRulesCanFail holds every rule to trees that keep it and trees that break
// it: a rule that finds nothing anywhere would look just like a clean tree.
func TestRulesCanFail(t *testing.T) {
	kept, broken := map[string]bool{}, map[string]bool{}
	checks := map[string]func(*tree) []string{}
	for _, r := range rules() {
		checks[r.name] = r.check
	}
	for _, e := range slices.Concat(packageExamples(), sizeExamples(), importExamples(), patternExamples(), textExamples()) {
		t.Run(e.rule+"/"+e.name, func(t *testing.T) {
			check, ok := checks[e.rule]
			if !ok {
				t.Fatalf("there is no rule %q", e.rule)
			}
			got := check(parse(t, e.files))
			switch {
			case e.want == "" && len(got) > 0:
				t.Errorf("a tree that keeps the rule is refused: %q", got)
			case e.want != "" && (len(got) != 1 || !strings.Contains(got[0], e.want)):
				t.Errorf("found %q, want one finding with %q", got, e.want)
			}
		})
		kept[e.rule] = kept[e.rule] || e.want == ""
		broken[e.rule] = broken[e.rule] || e.want != ""
	}
	for name := range checks {
		if !kept[name] || !broken[name] {
			t.Errorf("rule %q needs an example that keeps it and one that breaks it", name)
		}
	}
}

func parse(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{
		"go.mod":     {Data: []byte("module example.org/m\n\nrequire (\n\texample.net/lib v1.0.0\n\tgolang.org/x/sys v0.1.0\n)\n")},
		".gitignore": {Data: []byte("# what builds leave\n/dist/\n/bin/\n*.out\n")},
	}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	parsed, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func packageExamples() []example {
	const name = "package name"
	return []example{
		{name, "a noun", map[string]string{"a/a.go": "package runner\ntype Store struct{}"}, ""},
		{name, "a test of a noun", map[string]string{"a/a_test.go": "package runner_test"}, ""},
		{name, "banned", map[string]string{"a/a.go": "package util"}, `"util"`},
		{name, "banned folder", map[string]string{"common/a.go": "package a"}, `"common"`},
		{name, "banned test package", map[string]string{"a/a_test.go": "package helper_test"}, `"helper"`},
		{name, "banned type", map[string]string{"a/a.go": "package a\ntype Manager interface{}"}, `"Manager"`},
	}
}

func importExamples() []example {
	const arrows, outside, home, systemd = "import arrows", "simulator stays outside", "one home per module", "one home for systemd"
	const remover = "one remover"
	file := func(path string) string { return "package x\nimport _ \"" + path + "\"" }
	const m = "example.org/m/"
	return []example{
		{arrows, "down", map[string]string{"internal/bootstrap/a.go": file(m + "internal/github")}, ""},
		{arrows, "a test of the package itself", map[string]string{"internal/svc/a_test.go": file(m + "internal/svc")}, ""},
		{arrows, "the simulator in a test", map[string]string{"internal/svc/a_test.go": file(m + "internal/githubtest")}, ""},
		{arrows, "a name that only begins like ours", map[string]string{"internal/svc/a.go": file("example.org/module")}, ""},
		{arrows, "up", map[string]string{"internal/github/a.go": file(m + "internal/bootstrap")}, "internal/github may not import internal/bootstrap"},
		{arrows, "what tests alone may", map[string]string{"internal/plan/a_test.go": file(m + "internal/transport")}, ""},
		{arrows, "what tests alone may, from elsewhere", map[string]string{"internal/plan/a.go": file(m + "internal/transport")}, "internal/plan may not import internal/transport"},
		{arrows, "up from a test", map[string]string{"internal/github/a_test.go": file(m + "internal/bootstrap")}, "internal/github may not import internal/bootstrap"},
		{arrows, "sideways", map[string]string{"internal/download/a.go": file(m + "internal/account")}, "internal/download may not import internal/account"},
		{arrows, "a leaf", map[string]string{"internal/transport/a.go": file(m + "internal/instance")}, "internal/transport may not import internal/instance"},
		{arrows, "the command", map[string]string{"test/e2e/a_test.go": file(m + "cmd/runner-bootstrap")}, "may not import cmd/runner-bootstrap"},
		{arrows, "a new room", map[string]string{"internal/attic/a.go": "package attic"}, "internal/attic has no row"},

		{outside, "in a test", map[string]string{"internal/svc/a_test.go": file(m + "internal/githubtest")}, ""},
		{outside, "in the demonstration", map[string]string{"internal/demo/a.go": file(m + "internal/githubtest")}, ""},
		{outside, "in itself", map[string]string{"internal/githubtest/a.go": file(m + "internal/githubtest/contract")}, ""},
		{outside, "in the program", map[string]string{"cmd/runner-bootstrap/a.go": file(m + "internal/githubtest")}, "in tests only"},
		{outside, "a part of it", map[string]string{"internal/svc/a.go": file(m + "internal/githubtest/contract")}, "in tests only"},

		{home, "one", map[string]string{"a/a.go": file("example.net/lib"), "a/b.go": file("example.net/lib/sub")}, ""},
		{home, "one that tests itself, and one other test", map[string]string{"a/a.go": file("example.net/lib"), "a/a_test.go": file("example.net/lib"), "b/b_test.go": file("example.net/lib")}, ""},
		{home, "a shared one", map[string]string{"a/a.go": file("golang.org/x/sys/unix"), "b/b.go": file("golang.org/x/sys/windows")}, ""},
		{home, "the standard library", map[string]string{"a/a.go": file("net/http"), "b/b.go": file("net/http")}, ""},
		{home, "two", map[string]string{"a/a.go": file("example.net/lib"), "b/b.go": file("example.net/lib/sub")}, "example.net/lib is imported by a and b"},
		{home, "two that test", map[string]string{"a/a_test.go": file("example.net/lib"), "b/b_test.go": file("example.net/lib")}, "imported by tests of a and b"},
		{home, "not in go.mod", map[string]string{"a/a.go": file("example.net/library")}, "requires no module"},

		{remover, "a test", map[string]string{"internal/x/a_test.go": "package x\nimport \"os\"\nvar _ = os.RemoveAll(\"x\")"}, ""},
		{remover, "the demo", map[string]string{"internal/demo/a.go": "package x\nimport \"os\"\nvar _ = os.RemoveAll(\"x\")"}, ""},
		{remover, "of package os", map[string]string{"internal/x/a.go": "package x\nimport \"os\"\nvar _ = os.RemoveAll(\"x\")"}, "internal/x/a.go:3: trees are removed by internal/removal alone"},
		{remover, "of a root", map[string]string{"cmd/x/a.go": "package x\nfunc f(r *os.Root) { _ = r.RemoveAll(\"x\") }"}, "trees are removed by internal/removal alone"},
		{systemd, "at home", map[string]string{"internal/svc/a.go": "package svc\nconst c = `systemctl`"}, ""},
		{systemd, "in a test", map[string]string{"internal/agent/a_test.go": "package agent\nconst c = `systemctl`"}, ""},
		{systemd, "in a comment", map[string]string{"cmd/a/a.go": "package a // as systemctl does"}, ""},
		{systemd, "its own name", map[string]string{"internal/doctor/a.go": "package doctor\nconst c = `systemd`"}, ""},
		{systemd, "abroad", map[string]string{"internal/agent/a.go": "package agent\nconst c = `systemctl poweroff`"}, "internal/agent/a.go:2"},
		{systemd, "in the command", map[string]string{"cmd/a/a.go": "package a\nconst c = \"/bin/journalctl -u\""}, "cmd/a/a.go:2"},
	}
}

func textExamples() []example {
	const paths, tokens, unfinished, scripts = "no machine paths", "no tokens", "nothing unfinished", "scripts are named after commands"
	const plain, promises, links, quoted = "plain words", "promises are shown", "links lead somewhere", "quoted words are said"
	readme := func(rows, points string) map[string]string {
		return map[string]string{
			"README.md": "# A\n## What it does to your host\n| | |\n|---|---|\n" + rows + "\n## What it promises\n\n" + points + "\n## End\n",
			"a_test.go": "package a\nfunc TestA(t *testing.T) {}\nfunc FuzzA(f *testing.F) {}",
			"cmd/runner-bootstrap/testdata/script/run.txtar": "",
			"cmd/runner-bootstrap/run.go":                    "package main\nfunc f() *C { return &C{Use: \"run\"} }",
		}
	}
	symptom := func(words, others string) map[string]string {
		return map[string]string{
			symptoms:    "| you see | do |\n|---|---|\n| `" + words + "` | x |\n" + otherPrograms + "| " + others + " | x |\n",
			"a.go":      "package a\n\nvar x = fail(\"its disk is full, and so\")\n",
			"a_test.go": "package a\n\nvar y = \"is its disk full\"\n",
		}
	}
	text := func(s string) map[string]string { return map[string]string{"docs/a.md": s} }
	script := func(name string) map[string]string {
		return map[string]string{
			"cmd/runner-bootstrap/install.go":              "package main\nfunc f() *C { return &C{Use: \"install\"} }",
			"cmd/runner-bootstrap/token.go":                "package main\nfunc g() *C { return &C{Use: \"token registration|remove\"} }",
			"cmd/runner-bootstrap/run.go":                  "package main\nfunc h(s S) *C { return s.command(\"run\", \"Keep it alive\") }",
			"cmd/runner-bootstrap/testdata/script/" + name: "exec runner-bootstrap\n",
		}
	}
	letters := strings.Repeat("aB3", 20)
	all := []example{
		{paths, "a folder of a package", text("packaging/linux/root/src/a and ./root/go/a and $TARGET/root/go/a"), ""},
		{paths, "the work folder of a runner", text("/opt/actions-runner/web-1/_work/a and ${runner}/wo" + "rk/a"), ""},
		{paths, "a home", text("/home/runner/.bashrc and /root/token"), ""},
		{paths, "a sentence", text("the options /root or /work"), ""},
		{paths, "what is ignored", map[string]string{"dist/a": "/wo" + "rk/a", "sub/b.out": "/wo" + "rk/a"}, ""},
		{paths, "what is no text", text("\x00 /wo" + "rk/a"), ""},
		{paths, "home of root", text("a\nb=/ro" + "ot/go/pkg"), "docs/a.md:2"},
		{paths, "at the beginning", text("/wo" + "rk/main/a.go"), "docs/a.md:1"},
		{paths, "in quotes", text(`open "/wo` + `rk/a"`), "docs/a.md:1"},
		{paths, "a cache", text("(/home/me" + "/go/pkg/mod)"), "docs/a.md:1"},
		{paths, "in a hidden folder", map[string]string{".ci/run": "cd /wo" + "rk/main"}, ".ci/run:1"},
		{paths, "in testdata", map[string]string{"a/testdata/b.golden": "cd /wo" + "rk/main"}, "b.golden:1"},

		{tokens, "a placeholder", text("ghp_... and ghp_TOKEN and github_pat_11AAAAAAA"), ""},
		{tokens, "classic", text("ghp_" + letters[:36]), "docs/a.md:1"},
		{tokens, "of an installation", text("ghs_" + letters[:36]), "docs/a.md:1"},
		{tokens, "fine-grained", text("github_pat_" + letters), "docs/a.md:1"},

		{unfinished, "a word that holds it", text("TO" + "DOS, autoto" + "do"), ""},
		{unfinished, "in Go", map[string]string{"a.go": "package a\n// TO" + "DO: all"}, "a.go:2"},
		{unfinished, "in a script", map[string]string{"scripts/a.sh": "# FIX" + "ME"}, "scripts/a.sh:1"},

		{links, "to files, folders and headings", map[string]string{
			"README.md": "# A\n[a](docs/a.md) [b](docs) [c](docs/a.md#what-it-says-http11) [d](#a) [e](https://example.com/x#y)\n", "docs/a.md": "## What it says (HTTP/1.1)\n[up](../README.md#a)\n",
		}, ""},
		{links, "to a file that is not there", map[string]string{"README.md": "# A\n\n[a](docs/b.md)\n", "docs/a.md": ""}, "README.md:3: the link docs/b.md leads to no file"},
		{links, "to a heading that is not there", map[string]string{"README.md": "[a](docs/a.md#b)\n", "docs/a.md": "# A\n"}, "README.md:1: the link docs/a.md#b leads to no heading"},
		{quoted, "words of the program, and below those of others", symptom("its disk is full", "`disk quota`"), ""},
		{quoted, "words that only a test has", symptom("is its disk full", "`disk quota`"), symptoms + `:3: the program never says "is its disk full"`},
		{promises, "with a test and a script", readme("| x | y <!-- shown by TestA/b, run.txtar --> |\n", "- **Z.** z\n  <!-- shown by FuzzA -->\n"), ""},
		{promises, "a test that is not there", readme("| x | y <!-- shown by TestB --> |\n", ""), "README.md:5: there is no TestB"},
		{promises, "a row without one", readme("| x | y |\n", ""), "README.md:5: nothing is named"},
		{promises, "a point without one", readme("", "- **A.** a <!-- shown by TestA -->\n- **Z.** z\n"), "README.md:9: nothing is named"},
		{promises, "elsewhere", map[string]string{"docs/a.md": "x <!-- shown by TestC -->", "a_test.go": "package a"}, "docs/a.md:1: there is no TestC"},

		{plain, "words that hold them", text("ane" + "wable"), ""},
		{plain, "at the start of a sentence", text("first\nWhoe" + "ver comes"), "docs/a.md:2"},
		{plain, "in Go", map[string]string{"a.go": "package a\n// it starts ane" + "w."}, "a.go:2"},

		{scripts, "a command", script("install.txtar"), ""},
		{scripts, "a case of a command", script("install_refused.txtar"), ""},
		{scripts, "a command with arguments", script("token-remove.txtar"), ""},
		{scripts, "a command that a function makes", script("run_drain.txtar"), ""},
		{scripts, "the program itself", script("runner-bootstrap_usage.txtar"), ""},
		{scripts, "a command of the library", script("help.txtar"), ""},
		{scripts, "another argument of that function", script("Keep.txtar"), `no command "Keep"`},
		{scripts, "no command", script("misuse.txtar"), `no command "misuse"`},
		{scripts, "a word that begins like one", script("installer.txtar"), `no command "installer"`},
	}
	return all
}

// TestLoad shows what the rules do not get to see, and that they get nothing
// from a tree that cannot be read.
func TestLoad(t *testing.T) {
	seen := parse(t, map[string]string{
		"a.go": "package a", "_off/b.go": "package b", ".hidden/c.go": "package c", "vendor/d/d.go": "package d", "x/testdata/e.go": "not Go",
		".git/config": "text", "dist/f": "text", "docs/g.out": "text", "docs/h": "\x00", "bin": "text",
	})
	if len(seen.files) != 1 || seen.files[0].path != "a.go" {
		t.Errorf("Go files: %v", seen.files)
	}
	want := []string{".gitignore", ".hidden/c.go", "_off/b.go", "a.go", "bin", "go.mod", "vendor/d/d.go", "x/testdata/e.go"}
	if got := slices.Sorted(maps.Keys(seen.texts)); !slices.Equal(got, want) {
		t.Errorf("texts %q, want %q", got, want)
	}
	for name, files := range map[string]fstest.MapFS{
		"no .gitignore":                {"go.mod": {Data: []byte("module m\n")}},
		"a pattern that is not read":   {"go.mod": {Data: []byte("module m\n")}, ".gitignore": {Data: []byte("!keep\n")}},
		"no go.mod":                    {".gitignore": {}},
		"a Go file that is none":       {"go.mod": {Data: []byte("module m\n")}, ".gitignore": {}, "a.go": {Data: []byte("pack age")}},
		"go.mod without a module line": {"go.mod": {Data: []byte("go 1.26\n")}, ".gitignore": {}},
	} {
		if _, err := load(files); err == nil {
			t.Errorf("%s: the tree was read", name)
		}
	}
}
