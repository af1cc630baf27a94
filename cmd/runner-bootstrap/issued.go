package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// issuedOptions name files with what was made elsewhere.
type issuedOptions struct {
	registrationTokenFile string
	jitConfigFile         string
	removeTokenFile       string
}

func (o *issuedOptions) options() []option {
	return []option{
		{
			name: "registration-token-file", once: true, value: "FILE", given: givenSecret, commands: "install cloud-init",
			usage: "file with a registration token from GitHub's page or another program; no other credential is needed then",
			text:  &o.registrationTokenFile,
		},
		{
			name: "jitconfig-file", once: true, value: "FILE", given: givenSecret, commands: "install cloud-init",
			usage: "file with a just-in-time configuration that was made elsewhere; no credential is needed then",
			text:  &o.jitConfigFile,
		},
		{
			name: "remove-token-file", once: true, value: "FILE", given: givenSecret, commands: "uninstall",
			usage: "file with a remove token from GitHub's page or another program; no other credential is needed then",
			text:  &o.removeTokenFile,
		},
	}
}

// issuedTokens are what somebody else had made at GitHub for this host: each does without
// a credential here.
type issuedTokens struct {
	registration, remove, jit secret.Secret
}

// issuedSource is where one of them may come from: an option, systemd's credential
// of the name, a variable.
type issuedSource struct {
	what      string
	file      string
	name      string
	variables []string
	into      func(*issuedTokens) *secret.Secret
}

func issuedSources(o *issuedOptions) []issuedSource {
	return []issuedSource{
		{
			what: "the registration token", file: o.registrationTokenFile, name: "registration-token",
			variables: registrationVariables(),
			into:      func(t *issuedTokens) *secret.Secret { return &t.registration },
		},
		{
			what: "the just-in-time configuration", file: o.jitConfigFile, name: "jitconfig",
			variables: []string{"RUNNER_BOOTSTRAP_JITCONFIG"},
			into:      func(t *issuedTokens) *secret.Secret { return &t.jit },
		},
		{
			what: "the remove token", file: o.removeTokenFile, name: "remove-token",
			variables: []string{"RUNNER_BOOTSTRAP_REMOVE_TOKEN"},
			into:      func(t *issuedTokens) *secret.Secret { return &t.remove },
		},
	}
}

// readIssuedTokens reads what was issued elsewhere, and takes it out of the environment.
func (r secretReader) readIssuedTokens(ctx context.Context, o *issuedOptions) (issuedTokens, error) {
	var tokens issuedTokens
	for _, source := range issuedSources(o) {
		found, err := popVariables(source.variables)
		if err == nil {
			*source.into(&tokens), err = r.readIssuedToken(ctx, source, found)
		}
		if err != nil {
			return tokens, err
		}
	}
	return tokens, nil
}

// dropIssuedVariables takes what was issued elsewhere out of the environment, where it
// is not wanted: no program that we start inherits it.
func dropIssuedVariables() error {
	for _, source := range issuedSources(&issuedOptions{}) {
		if _, err := popVariables(source.variables); err != nil {
			return err
		}
	}
	return nil
}

// secretVariables are those of the environment that hold a secret now.
func secretVariables() []string {
	names := tokenVariableNames()
	for _, source := range issuedSources(&issuedOptions{}) {
		names = append(names, source.variables...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return os.Getenv(name) == "" })
}

// registrationVariables are our own, and the one that container images of runners
// have.
func registrationVariables() []string {
	return []string{"RUNNER_BOOTSTRAP_REGISTRATION_TOKEN", "RUNNER_TOKEN"}
}

func (r secretReader) readIssuedToken(ctx context.Context, s issuedSource, fromVariable secret.Secret) (secret.Secret, error) {
	text, err := r.readIssuedText(ctx, s)
	switch {
	case err != nil:
		return secret.Secret{}, err
	case text == "":
		text = fromVariable.Reveal()
	}
	if s.file != "" && strings.TrimSpace(text) == "" {
		return secret.Secret{}, notYet("reading %s: it is empty", s.what)
	}
	return s.read(text)
}

// read takes what is of the source's kind, as far as its shape tells.
func (s issuedSource) read(text string) (secret.Secret, error) {
	token, err := secret.ReadToken(text)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("reading %s: %w", s.what, err)
	}
	other := &otherKindError{reading: s.what, given: "--" + s.name + "-file", file: s.file}
	switch kind := token.Kind(); {
	case kind == secret.AccessToken:
		other.is, other.option = "an access token", "--token-file"
		other.more = ", and a registration is then asked for with it"
	case kind == secret.JITConfiguration && s.name != "jitconfig":
		other.is, other.option = "a just-in-time configuration", "--jitconfig-file"
	case kind == secret.RegistrationToken && s.name == "jitconfig":
		other.is, other.option = "a registration token", "--registration-token-file"
	default:
		return token, nil
	}
	return secret.Secret{}, other
}

// otherKindError says that one thing of GitHub's was given for another one.
type otherKindError struct {
	reading      string // what it was to be
	is           string
	option, more string // that it is for, and what comes of it there
	given, file  string // where it was
}

func (e *otherKindError) Error() string {
	return fmt.Sprintf("reading %s: it is %s: it is for %s%s", e.reading, e.is, e.option, e.more)
}

func (e *otherKindError) Is(target error) bool { return target == secret.ErrToken }

func (r secretReader) readIssuedText(ctx context.Context, s issuedSource) (string, error) {
	switch s.file {
	case "":
		return systemdCredential(s.name)
	case "-":
		return r.readInput(ctx, s.what)
	}
	return r.readFile(ctx, s.what, s.file)
}

// checkStandardInput refuses to read two things from one stream.
func checkStandardInput(o *credentialOptions, issued *issuedOptions) error {
	var readers []string
	for _, option := range [][2]string{
		{"--token-file", o.tokenFile},
		{"--app-key-file", o.appKeyFile},
		{"--registration-token-file", issued.registrationTokenFile},
		{"--jitconfig-file", issued.jitConfigFile},
		{"--remove-token-file", issued.removeTokenFile},
	} {
		if option[1] == "-" {
			readers = append(readers, option[0])
		}
	}
	if len(readers) > 1 {
		return usagef("%s: only one of them can read standard input", strings.Join(readers, " and "))
	}
	return nil
}

// applyTo makes a request of a just-in-time configuration: it says itself who the
// runner is.
func (t issuedTokens) applyTo(request *plan.Request, o *installOptions) error {
	request.RegistrationToken = t.registration
	if t.jit.Empty() {
		if o.lifecycle.jit && !t.registration.Empty() {
			return usagef("--jit: a registration token cannot make a just-in-time configuration; give a credential, or --ephemeral")
		}
		return nil
	}
	if !t.registration.Empty() {
		return usagef("a just-in-time configuration and a registration token: one of them is enough")
	}
	config, err := register.ParseJITConfig(t.jit)
	if err != nil {
		return fmt.Errorf("reading the just-in-time configuration: %w", err)
	}
	for _, option := range []struct {
		given bool
		name  string
	}{
		{len(o.identity.labels) > 0, "labels"},
		{o.identity.noDefaultLabels, "no-default-labels"},
		{o.identity.group != "", "runnergroup"},
		{o.registration.ephemeral, "ephemeral"},
		{o.lifecycle.jit, "jit"},
		{o.count.count > 1, "count"},
		{o.registration.disableUpdate, "disableupdate"},
		{o.identity.work != defaultWork, "work"},
		{o.name.name != "" && o.name.name != config.Settings.Name, "name"},
	} {
		if option.given {
			return usagef("--%s: the just-in-time configuration has settled that already", option.name)
		}
	}
	request.JIT, request.Template = &config, config.Settings.Name
	return nil
}
