package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// newManual is for those who make packages, so help does not show it. What it writes
// comes from the declarations that the program itself obeys.
func newManual(call *session) *cobra.Command {
	manual := &cobra.Command{
		Use: "manual", Short: "Write the manual page, completions and a configuration file", Hidden: true,
		Long: `Write the manual page, completions and a configuration file.

Writes runner-bootstrap.1, completions for bash, zsh, fish and PowerShell, and config.yaml,
which has every option as a comment, into DIR. The same program writes the same
bytes; the page has a date only if SOURCE_DATE_EPOCH gives it.`,
		RunE: func(c *cobra.Command, _ []string) error {
			date, err := sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return err
			}
			return writeManual(c.Root(), call.operands[0], date)
		},
	}
	return call.taking(manual, "DIR", 1, 1)
}

// sourceDate is the day of a SOURCE_DATE_EPOCH, in UTC; empty without one.
func sourceDate(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return "", usagef("SOURCE_DATE_EPOCH: %q is not a number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}

// writeManual writes everything into dir, which is made if it is absent. It may be
// repeated; after a failure some of the files are there.
func writeManual(root *cobra.Command, dir, date string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a public text
		return fmt.Errorf("making the manual's directory: %w", err)
	}
	for _, file := range []struct {
		name  string
		mode  os.FileMode
		write func(io.Writer) error
	}{
		{"runner-bootstrap.1", 0o644, func(w io.Writer) error { return writePage(w, root, date) }},
		{"runner-bootstrap.bash", 0o644, func(w io.Writer) error { return writeBash(w, root, true) }},
		{"_runner-bootstrap", 0o644, root.GenZshCompletion},
		{"runner-bootstrap.ps1", 0o644, root.GenPowerShellCompletionWithDesc},
		{"runner-bootstrap.fish", 0o644, func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		// A variable for jobs, or a command that prints a token, may bring secrets into it.
		{"config.yaml", 0o600, writeConfigTemplate},
	} {
		var text bytes.Buffer
		if err := file.write(&text); err != nil {
			return fmt.Errorf("making %s: %w", file.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file.name), text.Bytes(), file.mode); err != nil {
			return fmt.Errorf("writing the manual: %w", err)
		}
	}
	return nil
}

// writeConfigTemplate writes a configuration file that sets nothing and explains
// every key.
func writeConfigTemplate(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(`# Configuration of runner-bootstrap: each key is an option without its dashes.
# An option of the call beats a variable, and a variable beats this file.
# A token does not belong here: name a private file with token-file.
`)
	for _, o := range declaredOptions() {
		if o.name == "config" {
			continue // it would name this file
		}
		if o.foreign("install") {
			continue
		}
		b.WriteString("\n")
		for _, line := range terminal.Wrapped(o.meaning(), 78) {
			b.WriteString("# " + line + "\n")
		}
		fmt.Fprintf(&b, "#%s: %s\n", o.name, o.sample())
	}
	_, err := w.Write(b.Bytes())
	return err
}

// sample is a value of the option for the configuration file: its default, or what
// stands for the value in help.
func (o option) sample() string {
	switch {
	case o.fallback != "":
		return o.fallback
	case len(o.choices) > 0:
		return o.choices[0]
	case o.on != nil:
		return "false"
	case o.list != nil && len(o.among) > 0:
		return "[" + strings.Join(o.among, ", ") + "]"
	case o.list != nil:
		return "[" + strings.ReplaceAll(o.value, ",", ", ") + "]"
	case o.lines != nil:
		return "[" + o.value + "]"
	case len(o.among) > 0:
		return o.among[0]
	}
	return o.value
}
