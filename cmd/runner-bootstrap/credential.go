package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// maxToken is far beyond the longest token of GitHub's.
const maxToken = 64 << 10

// tokenVariables are where a token may stand in the environment: our own name,
// and those that people have in their scripts already.
func tokenVariables() []string {
	return []string{"RUNNER_BOOTSTRAP_TOKEN", "RUNNER_CFG_PAT", "GITHUB_TOKEN", "GH_TOKEN", "ACCESS_TOKEN"}
}

// takeToken finds the credential: a file, systemd's credential called token,
// the environment. It takes all of them out of the environment, so that no
// program that we start inherits one.
func takeToken(values *options, in io.Reader) (github.Secret, error) {
	var fromVariable github.Secret
	for _, name := range tokenVariables() {
		if fromVariable.Empty() {
			fromVariable = github.NewSecret(os.Getenv(name))
		}
		if err := os.Unsetenv(name); err != nil {
			return github.Secret{}, fmt.Errorf("taking %s out of the environment: %w", name, err)
		}
	}
	switch values.tokenFile {
	case "":
		if token, err := systemdToken(); err != nil || !token.Empty() {
			return token, err
		}
		return fromVariable, nil
	case "-":
		return readToken("standard input", in)
	default:
		file, err := os.Open(values.tokenFile)
		if err != nil {
			return github.Secret{}, usagef("reading the token: %v", err)
		}
		defer file.Close()
		return readToken(fmt.Sprintf("%q", values.tokenFile), file)
	}
}

// systemdToken reads the credential that a unit's LoadCredential=token:... gave.
func systemdToken() (github.Secret, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return github.Secret{}, nil
	}
	file, err := os.Open(filepath.Join(dir, "token"))
	if os.IsNotExist(err) {
		return github.Secret{}, nil
	}
	if err != nil {
		return github.Secret{}, usagef("reading the systemd credential: %v", err)
	}
	defer file.Close()
	return readToken("systemd credential", file)
}

func readToken(source string, in io.Reader) (github.Secret, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxToken))
	if err != nil {
		return github.Secret{}, usagef("reading the token from %s: %v", source, err)
	}
	token := github.NewSecret(string(text))
	if token.Empty() {
		return token, usagef("reading the token from %s: it is empty", source)
	}
	return token, nil
}
