package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// issuedTokens are what somebody else had made at GitHub for this host: each does without
// a credential here.
type issuedTokens struct {
	registration, remove, jit github.Secret
}

// issuedSource is where one of them may come from: an option, systemd's credential
// of the name, a variable.
type issuedSource struct {
	what      string
	file      string
	name      string
	variables []string
	into      *github.Secret
}

func (call *session) issuedSources() []issuedSource {
	o, tokens := call.values, &call.issued
	return []issuedSource{
		{"the registration token", o.registrationTokenFile, "registration-token", registrationVariables(), &tokens.registration},
		{"the just-in-time configuration", o.jitConfigFile, "jitconfig", []string{"RUNNER_BOOTSTRAP_JITCONFIG"}, &tokens.jit},
		{"the remove token", o.removeTokenFile, "remove-token", []string{"RUNNER_BOOTSTRAP_REMOVE_TOKEN"}, &tokens.remove},
	}
}

// readIssuedTokens reads what was minted elsewhere, and takes it out of the environment.
func (call *session) readIssuedTokens() error {
	for _, source := range call.issuedSources() {
		found, err := popVariables(source.variables)
		if err == nil {
			*source.into, err = call.readIssuedToken(source, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// registrationVariables are our own, and the one that container images of runners
// have.
func registrationVariables() []string {
	return []string{"RUNNER_BOOTSTRAP_REGISTRATION_TOKEN", "RUNNER_TOKEN"}
}

func (call *session) readIssuedToken(s issuedSource, fromVariable github.Secret) (github.Secret, error) {
	text, err := call.issuedText(s)
	switch {
	case err != nil:
		return github.Secret{}, err
	case text == "":
		text = fromVariable.Reveal()
	}
	if s.file != "" && strings.TrimSpace(text) == "" {
		return github.Secret{}, usagef("reading %s: it is empty", s.what)
	}
	if err := github.CheckToken(text); err != nil {
		return github.Secret{}, fmt.Errorf("reading %s: %w", s.what, err)
	}
	return github.NewSecret(text), nil
}

func (call *session) issuedText(s issuedSource) (string, error) {
	switch s.file {
	case "":
		return systemdCredential(s.name)
	case "-":
		text, err := io.ReadAll(io.LimitReader(call.in, maxSecret))
		return string(text), err
	}
	return call.readSecretFile(s.what, s.file)
}

// checkStandardInput refuses to read two things from one stream.
func (o *options) checkStandardInput() error {
	var readers []string
	for _, option := range [][2]string{
		{"--token-file", o.tokenFile},
		{"--app-key-file", o.appKeyFile},
		{"--registration-token-file", o.registrationTokenFile},
		{"--jitconfig-file", o.jitConfigFile},
		{"--remove-token-file", o.removeTokenFile},
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
func (t issuedTokens) applyTo(request *bootstrap.Request, o *options) error {
	request.RegistrationToken = t.registration
	if t.jit.Empty() {
		if o.jit && !t.registration.Empty() {
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
		{len(o.labels) > 0, "labels"},
		{o.noDefaultLabels, "no-default-labels"},
		{o.runnergroup != "", "runnergroup"},
		{o.ephemeral, "ephemeral"},
		{o.jit, "jit"},
		{o.count > 1, "count"},
		{o.disableUpdate, "disableupdate"},
		{o.work != defaultWork, "work"},
		{o.name != "" && o.name != config.Settings.Name, "name"},
	} {
		if option.given {
			return usagef("--%s: the just-in-time configuration has settled that already", option.name)
		}
	}
	request.JIT, request.Template = &config, config.Settings.Name
	return nil
}
