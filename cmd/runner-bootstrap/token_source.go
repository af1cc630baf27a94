package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// server is a kind of GitHub's hosts. Tokens that stand in the environment for one kind are not for another.
type server int

const (
	// mixedServers are of more than one kind.
	mixedServers server = iota
	// cloudServer is github.com or a host below ghe.com.
	cloudServer
	// ownServer is a GitHub Enterprise Server that somebody runs.
	ownServer
)

// tokenVariable is a variable of the environment in which a token may stand.
type tokenVariable struct {
	name string
	of   server // mixedServers is for any
}

// tokenVariables are, in the order in which they count, our own name, those that people have in scripts of runners, and those
// that GitHub's own program reads, each for its kind of host (gh help environment).
func tokenVariables() []tokenVariable {
	return []tokenVariable{
		{"RUNNER_BOOTSTRAP_TOKEN", mixedServers},
		{"RUNNER_CFG_PAT", mixedServers},
		{"GITHUB_TOKEN", cloudServer},
		{"GH_TOKEN", cloudServer},
		{"GITHUB_ENTERPRISE_TOKEN", ownServer},
		{"GH_ENTERPRISE_TOKEN", ownServer},
		{"ACCESS_TOKEN", mixedServers},
	}
}

func tokenVariableNames() []string {
	var names []string
	for _, v := range tokenVariables() {
		names = append(names, v.name)
	}
	return names
}

// popTokens gives the first token of the environment that is for hosts of this kind, the names of the variables whose token is
// for others, and takes all of them out of the environment.
func popTokens(of server) (token secret.Secret, name string, others []string, err error) {
	for _, v := range tokenVariables() {
		value := os.Getenv(v.name)
		if unsetErr := os.Unsetenv(v.name); unsetErr != nil {
			err = errors.Join(err, fmt.Errorf("taking %s out of the environment: %w", v.name, unsetErr))
		}
		switch {
		case strings.TrimSpace(value) == "":
		case v.of != mixedServers && v.of != of:
			others = append(others, v.name)
		case name == "":
			var readErr error
			if token, readErr = secret.ReadToken(value); readErr != nil {
				err = errors.Join(err, fmt.Errorf("reading the token from the environment: %w (variable %s)", readErr, v.name))
			}
			name = v.name
		}
	}
	return token, name, others, err
}

// speaksTo is the kind of host that this command speaks to: of the URL that it was given, or of the runners of this host that it
// is about.
func (call *session) speaksTo() server {
	o := optionsOf[scopeOptions](call)
	if o.url != "" {
		return serverOf(o.url, o.apiURL)
	}
	dir, err := optionsOf[placeOptions](call).absolute()
	if err != nil {
		return cloudServer
	}
	// Records that cannot be read are told by the one who needs them.
	records, _ := instance.NewStore(instance.DefaultPaths(dir).State).List() //nolint:errcheck // see above
	name := optionsOf[nameOptions](call).name
	kinds := map[server]bool{}
	for _, record := range records {
		if name == "" || record.Name == name {
			kinds[serverOf(record.ScopeURL, record.APIURL)] = true
		}
	}
	switch {
	case len(kinds) > 1:
		return mixedServers
	case kinds[ownServer]:
		return ownServer
	}
	return cloudServer
}

func serverOf(url, apiURL string) server {
	scope, err := github.ParseScope(url, apiURL)
	if err == nil && scope.AsksCloud() {
		return cloudServer
	}
	return ownServer
}
