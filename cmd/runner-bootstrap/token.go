package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newToken(call *session) *cobra.Command {
	mint := func(ask func(*github.Client, context.Context) (github.Token, error)) func(context.Context) error {
		return call.withScope(func(ctx context.Context, client *github.Client) error {
			token, err := ask(client, ctx)
			if err != nil {
				return err
			}
			return call.printToken(token)
		})
	}
	return call.family("token", "Mint a registration or remove token",
		call.command("registration", "Mint a token that registers runners for an hour", `
Prints the token, and nothing else, to standard output: for controllers and
scripts. With --json it comes with the time of its end.`, mint((*github.Client).RegistrationToken)),
		call.command("remove", "Mint a token that removes runners for an hour", `
Prints the token, and nothing else, to standard output. With --json it comes with
the time of its end.`, mint((*github.Client).RemoveToken)))
}

func (call *session) printToken(token github.Token) error {
	if call.values.json {
		return printJSON(call.out, map[string]any{"token": token.Value.Reveal(), "expires_at": token.Expires.UTC().Format(time.RFC3339)})
	}
	_, err := fmt.Fprintln(call.out, token.Value.Reveal())
	return err
}
