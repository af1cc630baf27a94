package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// askable is the terminal at which the caller sits; nil if there is none.
func askable(call *session) *terminal.Prompt {
	in, ok := call.in.(*os.File)
	if !ok || !call.console.person || !call.console.terminal || !terminal.Is(in) {
		return nil
	}
	return &terminal.Prompt{In: in, Out: call.console.plain, Open: &call.console.asking}
}

// askURL asks an install that was told nothing of it what its runner is to belong to.
func askURL(ctx context.Context, call *session) error {
	o, at := optionsOf[scopeOptions](call), askable(call)
	if o.url != "" || at == nil {
		return nil
	}
	const question = "URL of the repository, organization or enterprise, such as https://github.com/OWNER/REPO:"
	for again := true; ; again = false {
		url, err := at.Ask(ctx, question)
		if err != nil {
			return err
		}
		if url == "" {
			return withoutURL()
		}
		if err := call.running.Flags().Set("url", url); err != nil {
			return err
		}
		_, err = o.parse()
		if err == nil || !again {
			return err
		}
		call.console.say(slog.LevelWarn, "! %v", err)
	}
}

// pastedToken finds the token in the line that GitHub's page has for config.sh.
var pastedToken = pattern.New(`\s--token[ =]+(\S+)`)

// askToken asks an install or an uninstall that has no credential for one, and says what can be done with it.
func askToken(ctx context.Context, call *session) error {
	at := askable(call)
	if at == nil {
		return nil
	}
	removing := commandKey(call.running) == "uninstall"
	question := "Registration token from GitHub's page \"New self-hosted runner\", or an access token"
	if removing {
		question = "Remove token from GitHub's page of the runner (\"Remove\"), or an access token"
	}
	text, err := at.AskSecret(ctx, question)
	if err != nil {
		return err
	}
	call.console.asked = true
	if text == "" {
		return nil
	}
	if line := pastedToken.FindStringSubmatch(text); line != nil {
		text = line[1]
	}
	call.credential, err = call.secrets().readToken("the terminal", text)
	if err != nil || removing {
		return err
	}
	what := "an access token: kept for root alone if the runner has to register again, as with --ephemeral, and else forgotten"
	if call.credential.empty() {
		what = "a registration token: good for one hour, and for nothing but to register runners; " +
			"status and uninstall ask GitHub only with an access token or an App"
	}
	call.console.say(slog.LevelInfo, "= %-11s %s", "token", what)
	return nil
}

// place is where a token goes that is recognized as one that was issued elsewhere, with which a command works as it is; nil if
// it does not.
func (t *issuedTokens) place(command string, kind secret.Kind) *secret.Secret {
	switch {
	case command == "install" && kind == secret.RegistrationToken:
		return &t.registration
	case command == "install" && kind == secret.JITConfiguration:
		return &t.jit
	case command == "uninstall" && kind == secret.RegistrationToken:
		return &t.remove
	}
	return nil
}
