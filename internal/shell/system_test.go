package shell

import (
	"strings"
	"testing"
)

// A word of Windows arrives as it is through cmd.exe and through PowerShell, which both take it from double quotes.
func TestQuoteOnWindows(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		`C:\a\b`: `C:\a\b`, `C:\a b`: `"C:\a b"`, `C:\a b\`: `"C:\a b\\"`, "": `""`, "a,b": `"a,b"`, "{hostname}-{random}": `"{hostname}-{random}"`,
		`say "it"`: `"say \"it\""`, "c&d": `"c&d"`, `--dir=C:\a`: `"--dir=C:\a"`, "--name": "--name", `NT SERVICE\x`: `"NT SERVICE\x"`,
	} {
		if got := Windows().Quote(word); got != want {
			t.Errorf("%s is written %s, want %s", word, got, want)
		}
	}
}

// Every command has as many places as its task has words, and the same on both systems where both have one.
func TestEveryTask(t *testing.T) {
	t.Parallel()
	for task := range LastTask {
		words := []string{`C:\one two\three`, "four", "five"}
		for name, system := range map[string]System{"unix": Unix(), "windows": Windows()} {
			line := system.Do(task, words...)
			if line == "" && name == "unix" {
				t.Errorf("task %d has no command", task)
			}
			if strings.Contains(line, "{}") {
				t.Errorf("task %d on %s lacks a word: %s", task, name, line)
			}
		}
	}
	if got := Windows().Do(PutProgram, `C:\Users\me and you\rb.exe`); !strings.HasPrefix(got, `robocopy "C:\Users\me and you" `) || !strings.HasSuffix(got, " rb.exe") {
		t.Errorf("a program is put by %s", got)
	}
	if got := Windows().Do(LetList, `C:\a`, `NT SERVICE\x`); got != `icacls C:\a /grant "NT SERVICE\x:(RX)"` {
		t.Errorf("a folder is opened by %s", got)
	}
	for _, c := range []struct{ got, want string }{
		{Unix().Both("a", "b"), "a && b"},
		{Windows().Both("a", "b"), "a"},
		{Windows().Both("", "b"), "b"},
		{Unix().Mend("a"), "sudo a"},
		{Unix().Mend(""), ""},
		{Windows().Mend("a"), "a"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
