package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

func newConfig(call *session) *cobra.Command {
	validated, shown := &installOptions{}, &installOptions{}
	return family("config", "Look at the configuration",
		call.command("validate", "Say whether the configuration file is understood", `
Reads the file that install would read, and checks every key and value of it, together
with the variables and options that are given. What is wrong is told with file, line
and column. GitHub is not asked, and no secret is read.`, validated.groups(),
			func(context.Context) error { return validateConfig(call, validated) }),
		call.command("show", "Show the options in force, and where they come from", `
Shows the value of every option that install would take, and where it comes from: an
option of this call, a variable, a line of the configuration file, or the default. What
may be a secret is not shown.`, shown.groups(), func(context.Context) error { return showConfig(call, shown) }),
	)
}

// validateConfig has come past the file: every command reads it whole. What is left is what its values mean together.
func validateConfig(call *session, o *installOptions) error {
	name := configName(o.call.config, o.place.dir)
	if _, err := os.Stat(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &usageError{
				text: fmt.Sprintf("there is no configuration file %q", name),
				hint: againWith(call, "--config", "FILE"),
			}
		}
		return usagef("reading the configuration file: %v", err)
	}
	check := o.checkWithoutURL
	if o.scope.url != "" {
		check = func() error { _, err := o.request(); return err }
	}
	if err := check(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(call.out, "%s is understood\n", name)
	return err
}

// shownOption is an option as config show shows it.
type shownOption struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	From  string `json:"from"`
}

func showConfig(call *session, o *installOptions) error {
	var all []shownOption
	for _, option := range optionsFor(commandKey(call.running), call.options) {
		flag := call.running.Flags().Lookup(option.name)
		bound, ok := flag.Value.(*binding)
		if !ok {
			continue
		}
		shown := shownOption{Key: option.name, Value: option.shown(), From: "default"}
		if flag.Changed {
			shown.From = firstOf(bound.from, "--"+option.name)
		}
		all = append(all, shown)
	}
	if o.output.json {
		return printJSON(call.out, all)
	}
	return terminal.Table(call.out, "KEY\tVALUE\tFROM", func(line func(string, ...any)) {
		for _, one := range all {
			line("%s\t%s\t%s", one.Key, cellOf(one.Value), one.From)
		}
	})
}

// cellOf writes a value into one cell of a table.
func cellOf(value any) string {
	var text string
	switch v := value.(type) {
	case []string:
		text = strings.Join(v, ",")
	default:
		text = fmt.Sprint(v)
	}
	if text == "" {
		return "-"
	}
	return terminal.OneCell(text)
}

// shown is the option's value without what may be a secret in it: the values of a job's variables, commands that fetch
// secrets, and what a URL has beside its host.
func (o option) shown() any {
	switch {
	case o.name == "env":
		names := []string{}
		for _, line := range *o.lines {
			name, _, _ := strings.Cut(line, "=")
			names = append(names, name+"="+secret.Redacted)
		}
		return names
	case o.text == nil || *o.text == "":
		return o.setting()
	case strings.HasSuffix(o.name, "-command") || o.name == "on-exit" && *o.text != "poweroff":
		return secret.Redacted
	case o.name == "status-webhook" || o.name == "mirror" || o.name == "proxy":
		return hostOnly(*o.text, o.name == "status-webhook")
	}
	return *o.text
}

// hostOnly is a URL without its account, its query and, where that may be a secret too, its path.
func hostOnly(text string, noPath bool) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" && u.Scheme != "file" {
		return secret.Redacted
	}
	short := u.Scheme + "://"
	if u.User != nil {
		short += secret.Redacted + "@"
	}
	short += u.Host
	switch {
	case noPath && strings.Trim(u.Path, "/") != "":
		return short + "/" + secret.Redacted
	case u.RawQuery != "" || u.Fragment != "":
		return short + u.EscapedPath() + "?" + secret.Redacted
	}
	return short + u.EscapedPath()
}
