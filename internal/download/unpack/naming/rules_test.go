package naming

import (
	"runtime"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string // empty if it is refused
		from       Rules  // this and those that allow more
	}{
		{"./", ".", Windows},
		{".", ".", Windows},
		{"a", "a", Windows},
		{"./a//b/./c/", "a/b/c", Windows},
		{"...", "...", Fold},
		{"a..b/..c", "a..b/..c", Windows},
		{" a", " a", Windows},
		{strings.Repeat("x", 255), strings.Repeat("x", 255), Windows},
		{"ä\U0010ffff", "ä\U0010ffff", Windows},
		{"COM", "COM", Windows},
		{"COM10", "COM10", Windows},
		{"CONSOLE", "CONSOLE", Windows},
		{"xNUL", "xNUL", Windows},
		{"a.NUL", "a.NUL", Windows},
		{"COM1x", "COM1x", Windows},
		{"LPT⁴", "LPT⁴", Windows},
		{"\xff", "\xff", Unix},
		{"a\n", "a\n", Fold},
		{"a\x1f", "a\x1f", Fold},
		{"a ", "a ", Fold},
		{"a.", "a.", Fold},
		{"a./b", "a./b", Fold},
		{"a /b", "a /b", Fold},
		{"C:", "C:", Fold},
		{"C:/a", "C:/a", Fold},
		{"a:b", "a:b", Fold},
		{"a<", "a<", Fold},
		{"a>", "a>", Fold},
		{`a"`, `a"`, Fold},
		{"a|", "a|", Fold},
		{"a?", "a?", Fold},
		{"a*", "a*", Fold},
		{"CON", "CON", Fold},
		{"con", "con", Fold},
		{"a/Prn/b", "a/Prn/b", Fold},
		{"aux.c", "aux.c", Fold},
		{"nul.tar.gz", "nul.tar.gz", Fold},
		{"NUL .txt", "NUL .txt", Fold},
		{"COM0", "COM0", Fold},
		{"com9.x", "com9.x", Fold},
		{"LPT1", "LPT1", Fold},
		{"COM¹", "COM¹", Fold},
		{"LPT²", "LPT²", Fold},
		{"COM³.x", "COM³.x", Fold},
		{"CONIN$", "CONIN$", Fold},
		{"conout$.x", "conout$.x", Fold},
		{name: ""},
		{name: "/"},
		{name: "/a"},
		{name: "//a"},
		{name: ".."},
		{name: "../a"},
		{name: "a/.."},
		{name: "a/../b"},
		{name: "./../a"},
		{name: "a/../../b"},
		{name: `\`},
		{name: `a\b`},
		{name: `..\a`},
		{name: `\\host\a`},
		{name: "\x00"},
		{name: "a\x00b"},
		{name: strings.Repeat("x", 256)},
		{name: strings.Repeat("ä", 128)},
		{name: strings.Repeat("a/", 2048) + "b"},
		{name: strings.Repeat("a/", 101)},
	} {
		for _, rules := range []Rules{Unix, Fold, Windows} {
			if runtime.GOOS == "windows" && rules != Windows {
				continue // the host has the last word
			}
			got, err := rules.Clean(c.name)
			want := c.want
			if rules > c.from {
				want = ""
			}
			if got != want || (err != nil) != (want == "") {
				t.Errorf("%d: %.40q is %.40q, %v; want %.40q", rules, c.name, got, err, want)
			}
		}
	}
}

func TestWhereLinksLead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, target string
		inside       bool
	}{
		{"a", "b", true},
		{"a", "./b/../c", false},
		{"a", ".", true},
		{"a/b", "..", true},
		{"a/b", "../..", false},
		{"a/b/c", "../../x", true},
		{"a", "..", false},
		{"a", "/", false},
		{"a", "", false},
		{"a", `b\c`, false},
		{"a", "b\x00", false},
		{"a/b", ".././/../x", false},
		{"a/b", "./../x", true},
		{"a", strings.Repeat("x", 4097), false},
		{"a/b", "c/../d", false},
		{"a", "NUL", true},
		{"a", "C:x", true},
	} {
		if runtime.GOOS != "windows" && Unix.StaysInside(c.name, c.target) != c.inside {
			t.Errorf("%q to %.20q stays inside: %t", c.name, c.target, !c.inside)
		}
		reserved := c.target == "NUL" || c.target == "C:x"
		if Windows.StaysInside(c.name, c.target) != (c.inside && !reserved) {
			t.Errorf("on Windows, %q to %.20q stays inside: %t", c.name, c.target, !c.inside)
		}
	}
}
