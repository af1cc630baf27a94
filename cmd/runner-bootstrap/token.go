package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newToken(call *session) *cobra.Command {
	registration, remove := &gitHubOptions{}, &gitHubOptions{}
	mint := func(o *gitHubOptions, ask func(*github.Client, context.Context) (github.Token, error)) func(context.Context) error {
		return call.withScope(func(ctx context.Context, client *github.Client) error {
			token, err := ask(client, ctx)
			if err != nil {
				return err
			}
			return printToken(call.out, token, o.output.json)
		})
	}
	return family("token", "Mint a registration or remove token",
		call.command("registration", "Mint a token that registers runners for an hour", `
Prints the token, and nothing else, to standard output: for controllers and
scripts. With --json it has the time when it ends.`, registration.groups(), mint(registration, (*github.Client).RegistrationToken)),
		call.command("remove", "Mint a token that removes runners for an hour", `
Prints the token, and nothing else, to standard output. With --json it has
the time when it ends.`, remove.groups(), mint(remove, (*github.Client).RemoveToken)))
}

// printedToken is a token as --json prints it.
type printedToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
}

func printToken(out io.Writer, token github.Token, asJSON bool) error {
	if asJSON {
		return printJSON(out, printedToken{token.Value.Reveal(), token.Expires.UTC().Truncate(time.Second)})
	}
	_, err := fmt.Fprintln(out, token.Value.Reveal())
	return err
}
