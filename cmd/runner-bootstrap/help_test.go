package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandsOf are the commands below one that do something and are for everybody.
func commandsOf(parent *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range parent.Commands() {
		switch {
		case c.Hidden || c.Name() == "help" || c.Name() == "completion":
		case c.HasSubCommands():
			all = append(all, commandsOf(c)...)
		default:
			all = append(all, c)
		}
	}
	return all
}

func helpOf(t *testing.T, c *cobra.Command, call *session) string {
	t.Helper()
	var out bytes.Buffer
	call.out = &out
	explain(call, c)
	return out.String()
}

// Help fits into 80 columns, has three examples for each command, and its parts are those of the reference.
func TestHelp(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/reference/options.md")
	if err != nil {
		t.Fatal(err)
	}
	call := &session{streams: streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}}
	root := newRoot(call)
	for _, c := range commandsOf(root) {
		help := helpOf(t, c, call)
		for line := range strings.Lines(help) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > helpWidth {
				t.Errorf("%s: a line of help has %d columns: %s", c.CommandPath(), n, line)
			}
		}
		if n := len(examplesOf(commandKey(c))); n != 3 && c.Name() != "version" {
			t.Errorf("%s has %d examples, want 3", c.CommandPath(), n)
		}
		for _, e := range examplesOf(commandKey(c)) {
			checkHint(t, c.CommandPath()+", example", e.command)
			words := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(e.command, withRoot), ourselves))
			found, _, err := root.Find(words)
			if err != nil || found != c {
				t.Errorf("%s: %q is another command: %v", c.CommandPath(), e.command, err)
			}
		}
		for _, part := range regexp.MustCompile(`(?m)^([A-Z][a-z]+(?: [a-zA-Z]+)*):$`).FindAllStringSubmatch(help, -1) {
			if title := part[1]; title != "Usage" && title != "Examples" && !strings.Contains(string(text), "\n## "+title+"\n") {
				t.Errorf("%s: the reference has no options under %q", c.CommandPath(), title)
			}
		}
	}
	if help := helpOf(t, root, call); strings.Contains(help, "Flags") || !strings.Contains(help, "  install ") {
		t.Errorf("help is\n%s", help)
	}
}

// Each example of each help is understood to its last word. Those of cloud-init, which changes nothing, are run: none is refused.
func TestExamplesAreTaken(t *testing.T) {
	if _, err := os.Stat("/etc/runner-bootstrap"); err == nil {
		t.Skip("this host has files that examples leave to an image")
	}
	ran := 0
	everyCommand := commandsOf(newRoot(&session{streams: streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}}))
	for _, c := range everyCommand {
		for _, e := range examplesEverywhere(commandKey(c)) {
			checkHint(t, c.CommandPath()+", example", e.command)
			command, found := strings.CutPrefix(e.command, ourselves+"cloud-init ")
			if !found {
				continue
			}
			ran++
			typed, _, _ := strings.Cut(command, " >")
			words := append([]string{"cloud-init"}, strings.Fields(strings.ReplaceAll(typed, "'", ""))...)
			if !slices.Contains(words, "--baked") {
				words = append(words, "--baked") // or the digest of a release would be fetched
			}
			var errors bytes.Buffer
			if code := run(words, streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &errors}); code != exitDone {
				t.Errorf("%q ends with %d: %s", e.command, code, errors.String())
			}
		}
	}
	if ran != 3 {
		t.Errorf("%d examples were run", ran)
	}
}

// At a narrow terminal nothing but a word that is too long stands out.
func TestHelpIsNarrow(t *testing.T) {
	t.Parallel()
	call := &session{streams: streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}}
	root := newRoot(call)
	for _, c := range commandsOf(root) {
		for line := range strings.Lines(usageOf(call, c, leastWidth)) {
			line = strings.TrimSuffix(line, "\n")
			words := strings.Fields(strings.TrimSuffix(line, "\\"))
			if len([]rune(line)) > leastWidth && len(words) > 1 && !strings.HasPrefix(line, "  --") && !strings.HasPrefix(line, "  runner-bootstrap") {
				t.Errorf("%s: %q", c.CommandPath(), line)
			}
		}
	}
}

// A shell completes values, and the names of what is here.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"install --log-level ":     {"debug", "info", "warn", "error"},
		"install --preemption ":    {"auto", "aws", "gcp", "azure", "off"},
		"install --replace=":       {"offline", "always"},
		"install --update ":        {"agent", "runner", "off"},
		"install --allow sudo,":    {"sudo,docker", "sudo,dbus", "sudo,all"},
		"cloud-init --metadata ":   {"auto", "required", "off"},
		"install --labels ":        nil,
		"runners list --log-level": nil,
		"runners get ":             nil,
	} {
		var out bytes.Buffer
		arguments := append([]string{"__complete"}, strings.Split(line, " ")...)
		code := run(arguments, streams{in: strings.NewReader(""), out: &out, err: &bytes.Buffer{}})
		var got []string
		for said := range strings.Lines(out.String()) {
			if said = strings.TrimSpace(said); said != "" && said[0] != ':' {
				got = append(got, strings.TrimPrefix(said, "--replace="))
			}
		}
		if line == "runners list --log-level" {
			got = slices.DeleteFunc(got, func(word string) bool { return strings.HasPrefix(word, "--log-level") })
		}
		if code != 0 || !slices.Equal(got, want) || strings.Contains(out.String(), ":0") && want != nil {
			t.Errorf("%q is completed to %q, code %d, want %q\n%s", line, got, code, want, out.String())
		}
	}
}
