package main

import (
	"fmt"
	"testing"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// TestOptions checks the declaration itself.
func TestOptions(t *testing.T) {
	names, places := map[string]bool{}, map[any]string{}
	for _, o := range declaredOptions() {
		t.Run(o.name, func(t *testing.T) {
			if names[o.name] {
				t.Error("declared twice")
			}
			names[o.name] = true
			targets := 0
			all := map[any]bool{o.text: o.text != nil, o.on: o.on != nil, o.list: o.list != nil, o.lines: o.lines != nil}
			if o.span != nil {
				all[o.span.at] = true
			}
			if o.count != nil {
				all[o.count.at] = true
			}
			for place, set := range all {
				if set {
					targets++
					if places[place] != "" {
						t.Errorf("its value goes where that of --%s goes", places[place])
					}
					places[place] = o.name
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
			b := &binding{option: o}
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

// TestGroupsAreDeclared: a group that is not among the declared ones would give its
// options to no command.
func TestGroupsAreDeclared(t *testing.T) {
	declared := map[string]bool{}
	for _, o := range declaredOptions() {
		declared[o.name] = true
	}
	call := &session{}
	newRoot(call)
	if len(call.groups) < 20 {
		t.Errorf("%d commands have options", len(call.groups))
	}
	for command, groups := range call.groups {
		for _, o := range optionsIn(groups...) {
			if !declared[o.name] {
				t.Errorf("command %s takes --%s, which is not declared", commandKey(command), o.name)
			}
		}
	}
}

// TestOptionsFillTheirOwnCommand: one call cannot give a command what was meant for another.
func TestOptionsFillTheirOwnCommand(t *testing.T) {
	install, uninstall := &installOptions{}, &uninstallOptions{}
	call := &session{options: install.groups()}
	for _, o := range optionsFor("install", install.groups()) {
		if o.name == "name" || o.name == "dir" {
			*o.text = "here"
		}
	}
	if install.name.name != "here" || install.place.dir != "here" || uninstall.name.name != "" || uninstall.place.dir != "" {
		t.Errorf("install has %+v and %+v, uninstall %+v and %+v", install.name, install.place, uninstall.name, uninstall.place)
	}
	if got := optionsOf[placeOptions](call).dir; got != "here" {
		t.Errorf("--dir of the command that runs is %q", got)
	}
	if got := optionsOf[removalOptions](call); got == nil || got.force {
		t.Errorf("a group that install does not take is %+v", got)
	}
}

// TestDefaultsHoldForEveryCommand: a command may do what an option is about without having
// the option. Run downloads, as fast as install does.
func TestDefaultsHoldForEveryCommand(t *testing.T) {
	call := &session{}
	newRoot(call)
	for command, groups := range call.groups {
		for _, o := range optionsIn(groups...) {
			if o.fallback == "" {
				continue
			}
			want := &binding{option: o}
			got := fmt.Sprint(o.setting())
			if err := want.Set(o.fallback); err != nil {
				t.Fatal(err)
			}
			if got != fmt.Sprint(o.setting()) {
				t.Errorf("command %s: --%s is %s, want %v", commandKey(command), o.name, got, o.setting())
			}
		}
		call.options = groups
		if got := optionsOf[sourceOptions](call).connections; got != maxConnections {
			t.Errorf("command %s: a download uses %d connections", commandKey(command), got)
		}
	}
}

// TestAgainKeepsValuesOut: a hint ends in logs.
func TestAgainKeepsValuesOut(t *testing.T) {
	got := again(&session{}, []string{"install", "--env", "A=secret=x", "--env=B=secret", "--name", "n"}, "--replace")
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
		if got := shell.Unix().Words(c.words...); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
