package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// credentialToRecord says where the supervisor of an installed runner finds the
// credential of this call: where this call found it, if that is a place. What
// came through standard input or the environment has none; it is for the plan to
// decide whether it is kept.
func credentialToRecord(o *credentialOptions, cred credential) (instance.Credential, secret.Secret, error) {
	var found instance.Credential
	var err error
	switch {
	case cred.empty(): // what it was found to be is none to come back to
	case o.appID != "":
		found.AppID = o.appID
		found.InstallationID, _ = strconv.ParseInt(o.appInstallationID, 10, 64) // checked by readApp
		if found.AppKeyCommand = o.appKeyCommand; found.AppKeyCommand != "" {
			return found, secret.Secret{}, nil
		}
		if outlivesCall(o.appKeyFile) {
			found.AppKeyFile, err = filepath.Abs(o.appKeyFile)
			return found, secret.Secret{}, err
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

// connectAsKept has a call that was given no credential use those that the runners of this host are kept with, each for what
// its runner belongs to.
func connectAsKept(call *session, host *bootstrap.Host) {
	if host.Connect != nil {
		return
	}
	records, err := host.Store.List()
	if err != nil {
		return // who cannot read them has no part in what is kept with them
	}
	records = slices.DeleteFunc(records, func(record instance.Record) bool { return record.Credential.Empty() })
	find := func(scope github.Scope) (instance.Record, bool) {
		i := slices.IndexFunc(records, func(record instance.Record) bool { return scope.Same(record.ScopeURL) })
		if i < 0 {
			return instance.Record{}, false
		}
		return records[i], true
	}
	if !slices.ContainsFunc(records, func(record instance.Record) bool { return concerns(call, host.Store, record) }) {
		return
	}
	clients := map[string]*github.Client{}
	host.Connect = func(scope github.Scope) *github.Client {
		key := scope.API() + " " + scope.URL()
		if clients[key] != nil {
			return clients[key]
		}
		if record, found := find(scope); found {
			clients[key] = connectAsRecorded(call, record)(scope)
		} else {
			lacking := &refusal.Error{Object: "asking GitHub about " + scope.String(), Reason: github.ErrNoCredential, Scope: scope}
			clients[key] = github.NewClient(transport.NewAPI(call.web), scope, unusable{lacking})
		}
		return clients[key]
	}
}

// useKept has a new runner keep what another one of this host is kept with, where this call was given no credential. One of
// several of a kind keeps what those are kept with that are there.
func useKept(call *session, host *bootstrap.Host, request *plan.Request) error {
	if !call.credential.empty() || host.Connect == nil {
		return nil
	}
	records, err := host.Store.List()
	if err != nil {
		return err
	}
	if earlier := call.earlier.record; earlier.Name != "" {
		records = []instance.Record{earlier}
	}
	for _, record := range records {
		if record.Credential.Empty() || !request.Scope.Same(record.ScopeURL) {
			continue
		}
		request.Credential = record.Credential
		if !record.Credential.Kept {
			return nil
		}
		cred, err := readRecorded(call, record)
		if request.Keep = cred.token; cred.app != nil {
			request.Keep = cred.app.Key
		}
		return err
	}
	return nil
}

// concerns tells whether a command may be about what a runner of this host belongs to.
func concerns(call *session, store *instance.Store, record instance.Record) bool {
	if o := optionsOf[scopeOptions](call); o.url != "" {
		scope, err := o.parse()
		return err == nil && scope.Same(record.ScopeURL)
	}
	named := meant(call, optionsOf[nameOptions](call).name)
	return named == "" || store.Called(named) == record.Name
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
		return credential{token: secret.New(kept)}, nil
	}
	return credential{app: &github.AppConfig{ID: c.AppID, Key: secret.New(kept), Installation: c.InstallationID}}, nil
}
