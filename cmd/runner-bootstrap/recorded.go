package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// credentialToRecord says where the supervisor of an installed runner finds the
// credential of this call: where this call found it, if that is a place. What
// came through standard input or the environment has none; it is for the plan to
// decide whether it is kept.
func credentialToRecord(o *credentialOptions, cred credential) (instance.Credential, github.Secret, error) {
	var found instance.Credential
	var err error
	switch {
	case o.appID != "":
		found.AppID = o.appID
		found.InstallationID, _ = strconv.ParseInt(o.appInstallationID, 10, 64) // checked by readApp
		if found.AppKeyCommand = o.appKeyCommand; found.AppKeyCommand != "" {
			return found, github.Secret{}, nil
		}
		if outlivesCall(o.appKeyFile) {
			found.AppKeyFile, err = filepath.Abs(o.appKeyFile)
			return found, github.Secret{}, err
		}
		found.Kept = true
		return found, cred.app.Key, nil
	case o.tokenCommand != "":
		found.TokenCommand = o.tokenCommand
	case outlivesCall(o.tokenFile):
		found.TokenFile, err = filepath.Abs(o.tokenFile)
	case !cred.token.Empty():
		found.Kept = true
	}
	return found, cred.token, err
}

// outlivesCall tells whether a credential is in a file that is there later: standard
// input, a pipe, and a shell's <(COMMAND) are not.
func outlivesCall(file string) bool {
	if info, err := os.Stat(file); err == nil && info.Mode().Type() == fs.ModeNamedPipe {
		return false
	}
	return file != "" && file != "-" && !strings.HasPrefix(file, "/dev/") && !strings.HasPrefix(file, "/proc/")
}

// connectAsRecorded speaks to GitHub with what the record names, which is read each
// time: a file may have been replaced by a newer token.
func connectAsRecorded(call *session, record instance.Record) func(github.Scope) *github.Client {
	api := transport.NewAPI(call.web)
	return func(scope github.Scope) *github.Client {
		cred, err := readRecorded(call, record)
		if err != nil {
			return github.NewClient(api, scope, unusable{err})
		}
		return cred.client(api, scope)
	}
}

func readRecorded(call *session, record instance.Record) (credential, error) {
	c := record.Credential
	if !c.Kept {
		o := &credentialOptions{
			tokenFile: c.TokenFile, tokenCommand: c.TokenCommand,
			appID: c.AppID, appKeyFile: c.AppKeyFile, appKeyCommand: c.AppKeyCommand,
		}
		if c.InstallationID != 0 {
			o.appInstallationID = strconv.FormatInt(c.InstallationID, 10)
		}
		return call.secrets().readCredential(context.Background(), o)
	}
	dir, err := optionsOf[placeOptions](call).absolute()
	if err != nil {
		return credential{}, err
	}
	kept, err := instance.NewStore(instance.DefaultPaths(dir).State).KeptCredential(record.Name)
	switch {
	case err != nil:
		return credential{}, err
	case c.AppID == "":
		return credential{token: github.NewSecret(kept)}, nil
	}
	return credential{app: &github.AppConfig{ID: c.AppID, Key: github.NewSecret(kept), Installation: c.InstallationID}}, nil
}
