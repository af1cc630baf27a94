package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	// maxSecret is far beyond the longest token, and any key, of GitHub's.
	maxSecret = 64 << 10
	// secretCommandTime bounds a --token-command or --app-key-command: whoever asks
	// a vault, or a person, is done by then.
	secretCommandTime = time.Minute
)

// credential is as whom we speak to GitHub; nobody if it is empty.
type credential struct {
	token github.Secret
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

func (u unusable) Token(context.Context) (github.Secret, error) { return github.Secret{}, u.err }

func (u unusable) Renew(context.Context, github.Secret, time.Time) (github.Secret, bool, error) {
	return github.Secret{}, false, u.err
}

// tokenVariables are where a token may stand in the environment: our own name,
// and those that people have in their scripts already.
func tokenVariables() []string {
	return []string{"RUNNER_BOOTSTRAP_TOKEN", "RUNNER_CFG_PAT", "GITHUB_TOKEN", "GH_TOKEN", "ACCESS_TOKEN"}
}

// readCredential finds the credential: an option, systemd's credential called
// token, the environment. It takes all of them out of the environment, so that no
// program that we start inherits one.
func (call *session) readCredential(ctx context.Context) (credential, error) {
	fromVariable, err := popVariables(tokenVariables())
	if err != nil {
		return credential{}, err
	}
	o := call.values
	var given []string
	for _, source := range [][2]string{{"--token-file", o.tokenFile}, {"--token-command", o.tokenCommand}, {"--app-id", o.appID}} {
		if source[1] != "" {
			given = append(given, source[0])
		}
	}
	switch {
	case len(given) > 1:
		return credential{}, usagef("%s: one credential is enough", strings.Join(given, " and "))
	case o.appID == "" && (o.appKeyFile != "" || o.appKeyCommand != "" || o.appInstallationID != ""):
		return credential{}, usagef("--app-key-file, --app-key-command and --app-installation-id need --app-id")
	case o.appKeyFile != "" && o.appKeyCommand != "":
		return credential{}, usagef("--app-key-file and --app-key-command: one key is enough")
	case o.appID != "":
		return call.readApp(ctx)
	case o.tokenCommand != "":
		text, err := call.runSecretCommand(ctx, "--token-command", o.tokenCommand)
		if err != nil {
			return credential{}, err
		}
		return readToken("--token-command", strings.NewReader(text))
	case o.tokenFile == "-":
		return readToken("standard input", call.in)
	case o.tokenFile != "":
		text, err := call.readSecretFile("the token", o.tokenFile)
		if err != nil {
			return credential{}, err
		}
		return readToken(fmt.Sprintf("%q", o.tokenFile), strings.NewReader(text))
	}
	text, err := systemdCredential("token")
	if err != nil {
		return credential{}, err
	}
	if text != "" {
		return readToken("systemd's credential token", strings.NewReader(text))
	}
	if err := github.CheckToken(fromVariable.Reveal()); err != nil {
		return credential{}, fmt.Errorf("reading the token from the environment: %w", err)
	}
	return credential{token: fromVariable}, nil
}

// popVariables gives the first of the variables that is set, and unsets them all.
func popVariables(names []string) (github.Secret, error) {
	var found github.Secret
	for _, name := range names {
		if found.Empty() {
			found = github.NewSecret(os.Getenv(name))
		}
		if err := os.Unsetenv(name); err != nil {
			return github.Secret{}, fmt.Errorf("taking %s out of the environment: %w", name, err)
		}
	}
	return found, nil
}

// readApp reads what a GitHub App signs with.
func (call *session) readApp(ctx context.Context) (credential, error) {
	o := call.values
	var installation int64
	if o.appInstallationID != "" {
		id, err := strconv.ParseInt(o.appInstallationID, 10, 64)
		if err != nil || id <= 0 {
			return credential{}, usagef("--app-installation-id: %q is not a number", o.appInstallationID)
		}
		installation = id
	}
	text, err := call.appKey(ctx)
	if err != nil {
		return credential{}, err
	}
	if text == "" {
		return credential{}, usagef("--app-id needs --app-key-file, --app-key-command, or systemd's credential app-key")
	}
	return credential{app: &github.AppConfig{ID: o.appID, Key: github.NewSecret(text), Installation: installation}}, nil
}

// appKey is the App's private key; empty if nobody has given one.
func (call *session) appKey(ctx context.Context) (string, error) {
	o := call.values
	if o.appKeyCommand == "" && o.appKeyFile == "" {
		return systemdCredential("app-key")
	}
	var text string
	var err error
	from := fmt.Sprintf("%q", o.appKeyFile)
	if o.appKeyCommand != "" {
		from = "--app-key-command"
		text, err = call.runSecretCommand(ctx, from, o.appKeyCommand)
	} else {
		text, err = call.readSecretFile("the App's key", o.appKeyFile)
	}
	if err == nil && strings.TrimSpace(text) == "" {
		err = usagef("reading the App's key from %s: it is empty", from)
	}
	return text, err
}

// runSecretCommand asks a program of the user's for a secret.
func (call *session) runSecretCommand(ctx context.Context, option, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretCommandTime)
	defer cancel()
	shell := []string{"sh", "-c", line}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", line}
	}
	command := exec.CommandContext(ctx, shell[0], shell[1:]...)
	command.Stdin, command.Stderr = call.in, call.err
	command.WaitDelay = time.Second
	text, err := command.Output()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it went well, and something that it started holds its output
	}
	if err != nil {
		return "", usagef("%s: %v", option, err)
	}
	return string(text), nil
}

// readSecretFile reads a file, and warns if others can read it too.
func (call *session) readSecretFile(what, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", usagef("reading %s: %v", what, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o044 != 0 && runtime.GOOS != "windows" {
		call.console.log.Warn("other accounts of this host can read a credential", "path", path, "mode", info.Mode().Perm().String())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret))
	if err != nil {
		return "", usagef("reading %s: %v", what, err)
	}
	return string(text), nil
}

// systemdCredential reads what a unit's LoadCredential=NAME:... gave; empty if it
// gave nothing.
func systemdCredential(name string) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	switch {
	case os.IsNotExist(err):
		return "", nil
	case err != nil:
		return "", usagef("reading the systemd credential %s: %v", name, err)
	case strings.TrimSpace(string(text)) == "":
		return "", usagef("reading the systemd credential %s: it is empty", name)
	}
	return string(text), nil
}

func readToken(source string, in io.Reader) (credential, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return credential{}, usagef("reading the token from %s: %v", source, err)
	}
	if err := github.CheckToken(string(text)); err != nil {
		return credential{}, fmt.Errorf("reading the token from %s: %w", source, err)
	}
	token := github.NewSecret(string(text))
	if token.Empty() {
		return credential{}, usagef("reading the token from %s: it is empty", source)
	}
	return credential{token: token}, nil
}
