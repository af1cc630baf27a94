package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// terminal is where a person is asked, beside what is told.
type terminal struct {
	in  *os.File
	out io.Writer
}

// askable is the terminal at which the caller sits; nil if there is none.
func askable(call *session) *terminal {
	in, ok := call.in.(*os.File)
	if !ok || !call.console.person || !call.console.terminal || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return &terminal{in, call.console.plain}
}

// ask returns the line that is typed, without blanks around it. Its end, and that of ctx, are errors.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	t.put(question)
	return t.await(ctx, func() (string, error) { return readLine(t.in) })
}

// askSecret is ask for what is not to be seen.
func (t *terminal) askSecret(ctx context.Context, question string) (string, error) {
	t.put(question + " (not shown as you type or paste):")
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking at the terminal: %w", err)
	}
	// Who interrupts it gets a terminal that shows again what is typed.
	defer func() { _ = term.Restore(fd, before) }()
	text, err := t.await(ctx, func() (string, error) {
		text, err := term.ReadPassword(fd)
		return string(text), err
	})
	fmt.Fprintln(t.out)
	return text, err
}

// put writes a question; the answer begins behind it.
func (t *terminal) put(question string) {
	fmt.Fprint(t.out, fitted(question, columnsOf(t.out))+" ")
}

func (t *terminal) await(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{strings.TrimSpace(text), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.out)
		return "", ctx.Err()
	case got := <-done:
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", fmt.Errorf("reading from the terminal: %w", got.err)
		}
		return got.text, nil
	}
}

// readLine reads no byte beyond the line: what comes next may be the answer to another question.
func readLine(in io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxSecret; {
		n, err := in.Read(one)
		switch {
		case n > 0 && one[0] == '\n':
			return string(line), nil
		case n > 0:
			line = append(line, one[0])
		case err != nil:
			return string(line), err
		}
	}
	return string(line), nil
}

// askURL asks an install that was told nothing of it what its runner is to belong to.
func askURL(ctx context.Context, call *session) error {
	o, at := optionsOf[scopeOptions](call), askable(call)
	if o.url != "" || at == nil || optionsOf[outputOptions](call).dryRun {
		return nil
	}
	url, err := at.ask(ctx, "URL of the repository, organization or enterprise, such as https://github.com/OWNER/REPO:")
	if err != nil || url == "" {
		return err
	}
	return call.running.Flags().Set("url", url)
}

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
	text, err := at.askSecret(ctx, question)
	if err != nil || text == "" {
		return err
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
