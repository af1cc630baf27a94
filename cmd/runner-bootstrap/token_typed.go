package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// errSecretTyped refuses a secret in the place of another value, such as the name of its file: a message that says what is wrong
// with a value repeats it.
var errSecretTyped = errors.New(
	"a secret itself, which others may have read by now; revoke it, and hand over another by standard input or a file",
)

// isSecret tells whether a value is a secret by its form. Forms that names have as well are those of secrets only where the name
// of a file is wanted that holds one.
func (o option) isSecret(typed string) bool {
	text := secret.New(strings.TrimSpace(typed))
	switch text.Kind() {
	case secret.AccessToken, secret.JITConfiguration:
		return true
	case secret.RegistrationToken, secret.UnknownKind:
	}
	return o.given == givenSecret && text.OfGitHub() || isKey(typed)
}

// isKey tells whether a text is a private key and not the name of a file with one.
func isKey(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN ") }

// refuseToken answers the most common mistake: every account of the host can
// read the arguments of every process.
func refuseToken(call *session, flags *pflag.FlagSet) error {
	if !flags.Changed("token") {
		return nil
	}
	kind, todo := secret.New(flags.Lookup("token").Value.String()).Kind(), "revoke it, and hand it over by standard input or a file"
	if kind == secret.RegistrationToken {
		todo = "it is good for an hour; hand it over by a file, or use a credential that gets one when it is needed"
	}
	return &usageError{
		text: "a token among the arguments can be read by every account of this host; " + todo,
		hint: handOver(call, call.running, kind, "--token"),
	}
}

// handOver is the same command with a token where nobody else can read it, in the place of an option of which it was the value.
func handOver(call *session, c *cobra.Command, kind secret.Kind, option string) string {
	arguments, open := withoutOption(call.arguments, option), func(name string) bool { return c.Flags().Lookup(name) != nil }
	switch {
	case kind == secret.RegistrationToken && open("registration-token-file"):
		return again(call, arguments, "--registration-token-file", "FILE")
	case open("token-file"):
		return call.gh("auth", "token") + " | " + again(call, arguments, "--token-file", "-")
	}
	return ""
}
