package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// The commands that speak to GitHub and leave this host alone.

// family is a command that only holds others.
func (call *session) family(use, short string, commands ...*cobra.Command) *cobra.Command {
	family := &cobra.Command{
		Use: use, Short: short, Long: short + ".",
		RunE: func(c *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return usagef("unknown command %q", use+" "+arguments[0])
			}
			return errors.Join(c.Help(), usagef("%s needs a command", use))
		},
	}
	family.AddCommand(commands...)
	return family
}

// taking lets a command take operands: words of its use line, at least so many
// of them, and no more than most unless that is negative.
func (call *session) taking(command *cobra.Command, words string, least, most int) *cobra.Command {
	command.Use += " " + words
	command.Args = func(_ *cobra.Command, arguments []string) error {
		call.operands = arguments
		switch {
		case len(arguments) < least:
			return usagef("%s is missing", words)
		case most >= 0 && len(arguments) > most:
			return usagef("unexpected argument %q", arguments[most])
		}
		return nil
	}
	return command
}

// withScope reads the credential, and gives do a client for the scope of --url.
func (call *session) withScope(do func(context.Context, *github.Client) error) func(context.Context) error {
	return call.withHost(func(ctx context.Context, host *bootstrap.Host) error {
		if call.values.url == "" {
			return &usageError{
				text: "--url is missing: whose runners?",
				hint: again(call.arguments, "--url", "https://github.com/OWNER/REPO"),
			}
		}
		scope, err := github.ParseScope(call.values.url, call.values.apiURL)
		if err != nil {
			return err
		}
		if host.Connect == nil {
			return &refusal.Error{Object: "asking GitHub about " + scope.String(), Reason: bootstrap.ErrNoCredential, Scope: scope}
		}
		return do(ctx, host.Connect(scope))
	})
}

// runner finds a runner by its id or its name. Digits are an id, unless there is
// none of it: a name may consist of digits.
func findRunner(ctx context.Context, client *github.Client, word string) (github.Runner, error) {
	if word == "" {
		return github.Runner{}, usagef("RUNNER: it is empty")
	}
	if id, err := strconv.ParseInt(word, 10, 64); err == nil && id > 0 {
		runner, err := client.Runner(ctx, id)
		if !errors.Is(err, github.ErrNotFound) {
			return runner, err
		}
	}
	return client.RunnerNamed(ctx, word)
}

// table writes columns for a person.
func table(out io.Writer, head string, rows func(line func(format string, values ...any))) error {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, head)
	rows(func(format string, values ...any) {
		for i, value := range values {
			if text, ok := value.(string); ok {
				values[i] = oneCell(text)
			}
		}
		fmt.Fprintf(writer, format+"\n", values...)
	})
	return writer.Flush()
}

// oneCell keeps a text of GitHub's from making lines and columns of its own.
func oneCell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func yes(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}
