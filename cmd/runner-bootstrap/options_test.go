package main

import (
	"testing"

	"github.com/spf13/cobra"
)

// TestOptions checks the declaration itself.
func TestOptions(t *testing.T) {
	names := map[string]bool{}
	for _, o := range declaredOptions() {
		t.Run(o.name, func(t *testing.T) {
			if names[o.name] {
				t.Error("declared twice")
			}
			names[o.name] = true
			targets := 0
			for _, set := range []bool{o.text != nil, o.on != nil, o.list != nil, o.lines != nil, o.span != nil, o.count != nil} {
				if set {
					targets++
				}
			}
			if targets != 1 {
				t.Errorf("it has %d places for its value, want 1", targets)
			}
			if (o.value == "") != (o.on != nil) {
				t.Error("a switch has no value, everything else has")
			}
			if o.usage == "" || o.commands == "" {
				t.Error("no usage, or no command has it")
			}
			b := &binding{option: o, values: &options{}}
			if o.fallback != "" {
				if err := b.Set(o.fallback); err != nil {
					t.Errorf("its default %q: %v", o.fallback, err)
				}
			}
		})
	}
}

// TestCommandsHaveTheirOptions: a name in the declaration that is no command
// would lose an option silently.
func TestCommandsHaveTheirOptions(t *testing.T) {
	root := newRoot(&session{})
	commands := map[string]*cobra.Command{}
	for _, c := range root.Commands() {
		commands[commandKey(c)] = c
		for _, below := range c.Commands() {
			commands[commandKey(below)] = below
		}
	}
	for _, o := range declaredOptions() {
		for name, command := range commands {
			if has := command.Flags().Lookup(o.name) != nil; has != o.of(name) {
				t.Errorf("command %s has --%s: %t, declared: %t", name, o.name, has, o.of(name))
			}
		}
	}
	for name := range map[string]bool{"install": true, "uninstall": true, "status": true, "run": true, "version": true, "prepare": true, "cache-list": true, "cache-prune": true} {
		if commands[name] == nil {
			t.Errorf("there is no command %s", name)
		}
	}
}

// TestAgainKeepsValuesOut: a hint ends in logs.
func TestAgainKeepsValuesOut(t *testing.T) {
	got := again([]string{"install", "--env", "A=secret=x", "--env=B=secret", "--name", "n"}, "--replace")
	if want := "runner-bootstrap install --env A=VALUE --env=B=VALUE --name n --replace"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestShellWords(t *testing.T) {
	for name, c := range map[string]struct {
		words []string
		want  string
	}{
		"plain":  {[]string{"a", "--b=c/d"}, "a --b=c/d"},
		"blank":  {[]string{"a b"}, "'a b'"},
		"quote":  {[]string{"it's"}, `'it'\''s'`},
		"braces": {[]string{"{hostname}"}, "'{hostname}'"},
		"empty":  {[]string{""}, "''"},
	} {
		if got := shellWords(c.words); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
