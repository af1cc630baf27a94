package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
)

// text writes settings so that a test can compare them.
func text(settings []config.Setting) string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString(s.Key)
		b.WriteString(map[config.Form]string{config.Scalar: "", config.List: "[]", config.Map: "{}"}[s.Form])
		for _, item := range s.Items {
			b.WriteString(" <")
			if s.Form == config.Map {
				b.WriteString(item.Key + "=")
			}
			b.WriteString(item.Text + ">")
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// What is written is what is meant, whatever YAML would make of it.
func TestTextAsWritten(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"labels: [24.10, 007, 1e3, 0x1F, 0o17, 1_000, +5, .5, 5., 3.10]": "labels[] <24.10> <007> <1e3> <0x1F> <0o17> <1_000> <+5> <.5> <5.> <3.10>",
		"labels: [yes, no, on, off, y, n, True, FALSE]":                  "labels[] <yes> <no> <on> <off> <y> <n> <True> <FALSE>",
		"labels: [2026-11-30, 12:30:45, 2001-12-14T21:59:43Z]":           "labels[] <2026-11-30> <12:30:45> <2001-12-14T21:59:43Z>",
		"labels: [.inf, -.Inf, .NaN, 1.7976931348623159e309]":            "labels[] <.inf> <-.Inf> <.NaN> <1.7976931348623159e309>",
		"labels: [99999999999999999999, 0.1000000000000000055511151231]": "labels[] <99999999999999999999> <0.1000000000000000055511151231>",
		"env: {PYTHON_VERSION: 3.10, GO: 1.20, EMPTY: '', Z: \" a \"}":   "env{} <PYTHON_VERSION=3.10> <GO=1.20> <EMPTY=> <Z= a >",
		"env:\n  B: 1\n  A: 2":                  "env{} <B=1> <A=2>", // in the order of the file
		"name: 1.10":                            "name <1.10>",
		"name: '007'":                           "name <007>",
		`name: "a\tb"`:                          "name <a\tb>",
		"name: !!str 10":                        "name <10>",
		"name: !!int 010":                       "name <010>",
		"name: ''":                              "name <>",
		"name: 'null'":                          "name <null>",
		"name: web-1 # the first":               "name <web-1>",
		"name: a#b":                             "name <a#b>",
		"on-exit: |\n  one\n  two\nname: a":     "on-exit <one\ntwo>\nname <a>",
		"on-exit: >-\n  one\n  two":             "on-exit <one two>",
		"on-exit: |+\n  one\n\n":                "on-exit <one\n>",
		"a: &x 1.0\nb: *x\nc: [*x, *x]":         "a <1.0>\nb <1.0>\nc[] <1.0> <1.0>",
		"a: &x [1.0, 02]\nb: *x":                "a[] <1.0> <02>\nb[] <1.0> <02>",
		"env: &x {A: 01}\nb: {<<: *x, B: 02}":   "env{} <A=01>\nb{} <B=02> <A=01>",
		"env: &x {A: 01}\nb: {<<: [*x], A: 02}": "env{} <A=01>\nb{} <A=02>",
		"010: a":                                "010 <a>",
		"\"name\": a":                           "name <a>",
		"{name: a, count: 2}":                   "name <a>\ncount <2>",
		"name: a\n...\n":                        "name <a>",
		"---\nname: a":                          "name <a>",
		"%YAML 1.1\n---\nlabels: [no, 017]":     "labels[] <no> <017>",
		"\ufeffname: a":                         "name <a>",
		"name: a\r\nlabels:\r\n- 1.0\r\n":       "name <a>\nlabels[] <1.0>",
		"name: é\u00a0x":                        "name <é\u00a0x>",
		"labels: []":                            "labels[]",
		"env: {}":                               "env{}",
		"":                                      "",
		"# nothing\n":                           "",
		"---\n":                                 "",
		"\xff\xfen\x00a\x00m\x00e\x00:\x00 \x001\x00.\x000\x00": "name <1.0>",
	} {
		settings, err := config.Parse("f.yaml", []byte(written))
		if got := text(settings); err != nil || got != want {
			t.Errorf("%q:\ngot  %q, %v\nwant %q", written, got, err, want)
		}
	}
}

// What cannot be a setting is refused, and its place is told.
func TestRefused(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"name: a\n---\nname: b":               "f.yaml:2:1: a second document",
		"name: a\n---\n":                      "f.yaml:2:1: a second document",
		"name: a\nname: b":                    `f.yaml:2:1: key "name" is in line 1 already`,
		"env:\n  A: 1\n  A: 2":                `f.yaml:3:3: key "A" is in line 2 already`,
		"env: {A: 1, 'A': 2}":                 `f.yaml:1:13: key "A" is in line 1 already`,
		"name:":                               "f.yaml:1:6: it has no value",
		"name: ~":                             "f.yaml:1:7: ~ is YAML's word for no value",
		"name: null":                          "f.yaml:1:7: null is YAML's word for no value",
		"labels: [a, NULL]":                   "f.yaml:1:13: NULL is YAML's word for no value",
		"labels:\n- a\n-":                     "f.yaml:3:2: it has no value",
		"env:\n  A:":                          "f.yaml:2:5: it has no value",
		"labels: [[a]]":                       "f.yaml:1:10: a value within a value",
		"labels: [{a: b}]":                    "f.yaml:1:10: a value within a value",
		"env: {A: [b]}":                       "f.yaml:1:10: a value within a value",
		"a: &x [1]\nb: [*x]":                  "f.yaml:2:5: a value within a value",
		"name: !secret x":                     "f.yaml:1:7: tag !secret is not known here",
		"labels: !Join [a]":                   "f.yaml:1:9: tag !Join is not known here",
		"env: !x {A: 1}":                      "f.yaml:1:6: tag !x is not known here",
		"name: !!binary aGk=":                 "f.yaml:1:7: tag !!binary is not known here",
		"? [a]\n: b":                          "f.yaml:1:3: a key is one word",
		"~: b":                                "f.yaml:1:1: a key is one word",
		"<<: 5":                               "f.yaml:1:5: only a map can be merged",
		"a: &x\n  <<: *x\n":                   "f.yaml:1:4: maps are merged into each other too deep",
		"- a":                                 "f.yaml:1:1: a configuration file has a key and a value",
		"just words":                          "f.yaml:1:1: a configuration file has a key and a value",
		"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b]": "f.yaml:2:8: a value within a value",
	} {
		settings, err := config.Parse("f.yaml", []byte(written))
		var at *config.Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) || settings != nil {
			t.Errorf("%q:\ngot  %v, %q\nwant %s", written, err, text(settings), want)
		}
	}
}

// What is no YAML is told with the line in which it stands, and in words that say what to do.
func TestNotYAML(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"name: a\n\tb: c":                     "2: it is not YAML: a tab",
		"env:\n  A: b\n\tB: c":                "3: it is not YAML: a tab",
		"\"unclosed":                          "1: it is not YAML: a quote is not closed",
		"name: a\nurl: 'b\ncount: 1":          "2: it is not YAML: a quote is not closed",
		"name: a: b":                          "1: it is not YAML: a key is not expected here",
		"name: a\n  count: 1":                 "2: it is not YAML: a key is not expected here",
		"labels:\n- a: b: c":                  "2: it is not YAML: a key is not expected here",
		"name: a\nephemeral:true\ncount: 2":   "2: it is not YAML: a line without",
		"name: a\nenv:\n  A: b\n C: d":        "4: it is not YAML: a key is expected here",
		"name: \"a\" b":                       "1: it is not YAML: a key is expected here",
		"count: 1\nname: \"a\" b":             "2: it is not YAML: a key is expected here",
		"name: a\nlabels: [a]]\ncount: 1":     "2: it is not YAML: a key is expected here",
		"name: a\n- b":                        "2: it is not YAML: a key is expected here",
		"name: a\nlabels: [a, b\ncount: 1":    "2: it is not YAML: a list is not closed",
		"labels: [a\nname: b":                 "2: it is not YAML: a list is not closed",
		"env: {A: b\nname: b":                 "2: it is not YAML: a map is not closed",
		"name: a\nwork: \"C:\\Users\"":        "2: it is not YAML: within \"\" a \\ has a meaning",
		"name: a\nwork: \"C:\\jobs\"":         "2: it is not YAML: within \"\" a \\ has a meaning",
		"name: @a":                            "1: it is not YAML: a value that begins with @ needs quotes",
		"labels:\n- `a`":                      "2: it is not YAML: a value that begins with ` needs quotes",
		"labels: [a, %b]":                     "1: it is not YAML: a value that begins with % needs quotes",
		"%YAML 1.2\n---\nname: a":             "1: it is not YAML: its line %YAML names another version",
		"count: 1\nname: !y!z a":              "2: it is not YAML: found undefined tag handle",
		"count: 1\nlabels: [a, *x]":           "2:13: it is not YAML: *x stands for what &x marks",
		"name: a\x00b":                        "1:8: it is not YAML: the control character '\\x00'",
		"count: 1\nname: a\ab":                "2:8: it is not YAML: the control character '\\a'",
		"count: 1\nname: caf\xe9":             "2:10: it is not YAML: byte 0xe9 is not UTF-8",
		"n\x00a\x00m\x00e\x00:\x00 \x00a\x00": ": it is not YAML: it is in UTF-16 without a byte order mark",
		"\xff\xfe\x00\x00n\x00\x00\x00":       ": it is not YAML: it is in UTF-32",
		"name:\u00a0a":                        "1:6: a wide or no-break blank",
		"count: 1\nname:\u3000a":              "2:6: it is not YAML: a wide or no-break blank",
	} {
		_, err := config.Parse("f.yaml", []byte(written))
		var at *config.Error
		if !errors.As(err, &at) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "f.yaml:"), strings.TrimPrefix(want, ":")) {
			t.Errorf("%q:\ngot  %v\nwant %s", written, err, want)
		}
	}
}

// A file of as many keys as one may have is read in no time.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&b, "KEY_%d: v\n", i)
	}
	begin := time.Now()
	settings, err := config.Parse("f.yaml", []byte(b.String()))
	if took := time.Since(begin); err != nil || len(settings) != 60_000 || took > 5*time.Second {
		t.Errorf("%d keys, %v, after %v", len(settings), err, took)
	}
}

// What is written is read as it was, whatever the texts look like.
func TestFile(t *testing.T) {
	t.Parallel()
	texts := []string{
		"24.10", "007", "null", "~", "yes", "a: b", "# x", " a ", "", "- x", "*x", "2026-11-30", "a\tb", "\"q\"", "é", "<<", "a\nb\n",
		"curl x |\njq .token", "a\n\n", "\n", "\na", " a\nb", "\ta\nb", "\n\n a", "  a\n b\n", "a\u2028b", "a\n\u2028b", "a\u0085b",
		"a\r\nb", "a\u00a0b", "a\u00adb", "\x1b[0m", "a\n\x1b", "\ufeffa", "#x\n#y",
	}
	written, err := config.File([]config.Pair{{Key: "labels", Value: texts}, {Key: "name", Value: "1.10"}, {Key: "jit", Value: true}, {Key: "count", Value: 2}})
	if err != nil {
		t.Fatal(err)
	}
	settings, err := config.Parse("f.yaml", []byte(written))
	if err != nil || len(settings) != 4 {
		t.Fatalf("%v in\n%s", err, written)
	}
	for i, want := range texts {
		if got := settings[0].Items[i].Text; got != want {
			t.Errorf("%q is read as %q", want, got)
		}
	}
	if got := text(settings[1:]); got != "name <1.10>\njit <true>\ncount <2>" {
		t.Errorf("read: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"name: a\nlabels: [1.0, 2]\nenv: {A: 1}\n", "a: &x {<<: *x}", "--- |\n a\n...\n---\n", "? a\n: - b", "!!str a: b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, written []byte) {
		settings, err := config.Parse("f.yaml", written)
		var at *config.Error
		if err != nil && (!errors.As(err, &at) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v", written, err)
		}
		for i, s := range settings {
			for _, other := range settings[:i] {
				if other.Key == s.Key {
					t.Errorf("%q: key %q is there twice", written, s.Key)
				}
			}
		}
	})
}
