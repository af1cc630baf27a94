package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// credentialOptions say as whom GitHub is asked.
type credentialOptions struct {
	tokenFile         string
	tokenCommand      string
	appID             string
	appKeyFile        string
	appKeyCommand     string
	appInstallationID string
}

func (o *credentialOptions) options() []option {
	return []option{
		{
			name: "token-file", once: true, value: "FILE", given: givenSecret, commands: credentialCommands,
			usage: "file that holds the access token; - reads standard input",
			text:  &o.tokenFile,
		},
		{
			name: "token-command", once: true, value: "COMMAND", commands: credentialCommands,
			usage: "shell command that prints the access token",
			text:  &o.tokenCommand,
		},
		{
			name: "app-id", once: true, value: "ID", commands: credentialCommands,
			usage: "GitHub App to act as, by its client ID or its number",
			text:  &o.appID,
		},
		{
			name: "app-key-file", once: true, value: "FILE", given: givenSecret, commands: credentialCommands,
			usage: "private key of the GitHub App, as GitHub gave it",
			text:  &o.appKeyFile,
		},
		{
			name: "app-key-command", once: true, value: "COMMAND", commands: credentialCommands,
			usage: "shell command that prints the private key of the GitHub App; the key is then on no disk",
			text:  &o.appKeyCommand,
		},
		{
			name: "app-installation-id", once: true, value: "ID", commands: credentialCommands,
			usage: "installation of the GitHub App; found by --url if not given",
			text:  &o.appInstallationID,
		},
	}
}

// check refuses what does not go together.
func (o *credentialOptions) check() error {
	var given []string
	for _, source := range [][2]string{{"--token-file", o.tokenFile}, {"--token-command", o.tokenCommand}, {"--app-id", o.appID}} {
		if source[1] != "" {
			given = append(given, source[0])
		}
	}
	switch {
	case len(given) > 1:
		return usagef("%s: one credential is enough", strings.Join(given, " and "))
	case o.appID == "" && (o.appKeyFile != "" || o.appKeyCommand != "" || o.appInstallationID != ""):
		return usagef("--app-key-file, --app-key-command and --app-installation-id need --app-id")
	case o.appKeyFile != "" && o.appKeyCommand != "":
		return usagef("--app-key-file and --app-key-command: one key is enough")
	}
	return nil
}

// credential is as whom we speak to GitHub; an empty one is for what is public.
type credential struct {
	token secret.Secret
	app   *github.AppConfig
}

func (c credential) empty() bool { return c.token.Empty() && c.app == nil }

// client speaks to GitHub about a scope. An App that cannot work says so in the
// first answer.
func (c credential) client(api *transport.Client, scope github.Scope) *github.Client {
	if c.app == nil {
		return github.NewClient(api, scope, github.Static(c.token))
	}
	app, err := github.NewApp(api, scope, *c.app)
	if err != nil {
		return github.NewClient(api, scope, unusable{err})
	}
	return github.NewClient(api, scope, app)
}

// unusable is a credential that cannot work.
type unusable struct{ err error }

func (u unusable) Token(context.Context) (secret.Secret, error) { return secret.Secret{}, u.err }

func (u unusable) Renew(context.Context, secret.Secret, time.Time) (secret.Secret, bool, error) {
	return secret.Secret{}, false, u.err
}

// readCredential finds the credential: an option, systemd's credential called
// token, the environment. It takes all of them out of the environment, so that no
// program that we start inherits one.
func (r secretReader) readCredential(ctx context.Context, o *credentialOptions) (credential, error) {
	environment := popTokens(r.of)
	if err := o.check(); err != nil {
		return credential{}, err
	}
	switch {
	case o.appID != "":
		return r.readApp(ctx, o)
	case o.tokenCommand != "":
		text, err := r.run(ctx, "--token-command", o.tokenCommand)
		if err != nil {
			return credential{}, err
		}
		return r.readToken("--token-command", text)
	case o.tokenFile == "-":
		text, err := r.readInput(ctx, "the token")
		if err != nil {
			return credential{}, err
		}
		return r.readToken("standard input", text)
	case o.tokenFile != "":
		text, err := r.readFile(ctx, "the token", o.tokenFile)
		if err != nil {
			return credential{}, err
		}
		return r.readToken(fmt.Sprintf("%q", o.tokenFile), text)
	}
	text, err := systemdCredential("token")
	if err != nil {
		return credential{}, err
	}
	if text != "" {
		return r.readToken("systemd's credential token", text)
	}
	switch {
	case environment.err != nil:
		return credential{}, environment.err
	case !environment.token.Empty():
		return r.asked(environment.name, environment.token)
	}
	r.warnOfUnused(environment)
	return credential{}, nil
}

// warnOfUnused tells of tokens in the environment that were not taken, where nothing else was.
func (r secretReader) warnOfUnused(found environmentToken) {
	if len(found.others) > 0 {
		r.log.Warn("a token in the environment is for another kind of server, and is not sent",
			"variables", strings.Join(found.others, ", "), "instead", instead(r.of))
	}
	if len(found.unknown) > 0 {
		r.log.Warn("a token in the environment has not the form of GitHub's, and is not sent",
			"variables", strings.Join(found.unknown, ", "), "instead", "RUNNER_BOOTSTRAP_TOKEN, for a token of any form")
	}
}

// instead are the variables that are for a kind of server.
func instead(of server) string {
	switch of {
	case cloudServer:
		return "GITHUB_TOKEN, for github.com and ghe.com"
	case ownServer:
		return "GH_ENTERPRISE_TOKEN, for GitHub Enterprise Server"
	default:
		return "--name, as the runners of this host are of several servers"
	}
}

// asked is a credential that asks the REST API. What config.sh alone takes is none; a command that works with it as it is
// gets it as if it had been given by its own option.
func (r secretReader) asked(source string, token secret.Secret) (credential, error) {
	if place := r.issued.place(r.command, token.Kind()); place != nil && place.Empty() {
		*place = token
		return credential{}, nil
	}
	what := ""
	switch token.Kind() {
	case secret.RegistrationToken:
		what = "a registration or remove token, which lives for an hour: it is for --registration-token-file or --remove-token-file"
	case secret.JITConfiguration:
		what = "a just-in-time configuration: it is for --jitconfig-file"
	case secret.AccessToken, secret.UnknownKind:
		return credential{token: token}, nil
	}
	return credential{}, fmt.Errorf("reading the token from %s: %w: it is %s", source, secret.ErrToken, what)
}

// readApp reads what a GitHub App signs with.
func (r secretReader) readApp(ctx context.Context, o *credentialOptions) (credential, error) {
	var installation int64
	if o.appInstallationID != "" {
		// The page of an installation has its number at the end of its address.
		number := strings.TrimSpace(o.appInstallationID)
		if i := strings.LastIndex(number, "/installations/"); i >= 0 {
			number = number[i+len("/installations/"):]
		}
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil || id <= 0 {
			return credential{}, usagef("--app-installation-id: %q is not a number", o.appInstallationID)
		}
		installation = id
	}
	text, err := r.readAppKey(ctx, o)
	if err != nil {
		return credential{}, err
	}
	if text == "" {
		return credential{}, usagef("--app-id needs --app-key-file, --app-key-command, or systemd's credential app-key")
	}
	if _, err := secret.ParseAppKey(text); err != nil {
		return credential{}, fmt.Errorf("reading the App's key from %s: %w", o.keySource(), err)
	}
	return credential{app: &github.AppConfig{ID: strings.TrimSpace(o.appID), Key: secret.New(text), Installation: installation}}, nil
}

// keySource is where the App's key comes from.
func (o *credentialOptions) keySource() string {
	switch {
	case o.appKeyCommand != "":
		return "--app-key-command"
	case o.appKeyFile != "":
		return fmt.Sprintf("%q", o.appKeyFile)
	}
	return "systemd's credential app-key"
}

// readAppKey reads the App's private key; empty if none was given.
func (r secretReader) readAppKey(ctx context.Context, o *credentialOptions) (string, error) {
	if o.appKeyCommand == "" && o.appKeyFile == "" {
		return systemdCredential("app-key")
	}
	var text string
	var err error
	if o.appKeyCommand != "" {
		text, err = r.run(ctx, o.keySource(), o.appKeyCommand)
	} else {
		text, err = r.readFile(ctx, "the App's key", o.appKeyFile)
	}
	if err == nil && strings.TrimSpace(text) == "" {
		err = emptySecret("reading the App's key", o.keySource())
	}
	return text, err
}

func (r secretReader) readToken(source, text string) (credential, error) {
	token, err := secret.ReadToken(text)
	if err != nil {
		return credential{}, fmt.Errorf("reading the token from %s: %w", source, err)
	}
	if token.Empty() {
		return credential{}, emptySecret("reading the token", source)
	}
	return r.asked(source, token)
}

// emptySecret is about a source that gave nothing: a command has failed then, and a file may be one that is just written.
func emptySecret(doing, source string) error {
	if strings.HasSuffix(source, "-command") {
		return fmt.Errorf("%s from %s: %w: it is empty", doing, source, errSecretCommand)
	}
	path, _ := strconv.Unquote(source) //nolint:errcheck // a source that is no file is in no quotes
	return ofFile(path, notYet("%s from %s: it is empty", doing, source))
}
