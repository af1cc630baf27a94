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
	// vague is a name that does not say whose token it is. One that has not GitHub's form is somebody else's.
	vague bool
}

// tokenVariables are, in the order in which they count, our own name, that of GitHub's own script for runners, which takes any
// host, those that GitHub's own program reads, each for its kind of host (gh help environment), and that of container images of
// runners. The last one could be anybody's: it is for the hosts of GitHub alone.
func tokenVariables() []tokenVariable {
	return []tokenVariable{
		{name: "RUNNER_BOOTSTRAP_TOKEN"},
		{name: "RUNNER_CFG_PAT"},
		{name: "GITHUB_TOKEN", of: cloudServer},
		{name: "GH_TOKEN", of: cloudServer},
		{name: "GITHUB_ENTERPRISE_TOKEN", of: ownServer},
		{name: "GH_ENTERPRISE_TOKEN", of: ownServer},
		{name: "ACCESS_TOKEN", of: cloudServer, vague: true},
	}
}

func tokenVariableNames() []string {
	var names []string
	for _, v := range tokenVariables() {
		names = append(names, v.name)
	}
	return names
}

// environmentToken is what the environment has of tokens.
type environmentToken struct {
	token secret.Secret
	name  string // the variable that it was in
	// others are the variables whose tokens are for other hosts, and unknown those whose tokens may not be GitHub's at all.
	others, unknown []string
	err             error
}

// popTokens finds the first token of the environment that is for hosts of this kind, and takes all of them out of the environment.
func popTokens(of server) environmentToken {
	var found environmentToken
	for _, v := range tokenVariables() {
		value := os.Getenv(v.name)
		if err := os.Unsetenv(v.name); err != nil {
			found.err = errors.Join(found.err, fmt.Errorf("taking %s out of the environment: %w", v.name, err))
		}
		token, err := secret.ReadToken(value)
		switch {
		case strings.TrimSpace(value) == "":
		case v.vague && (err != nil || !token.OfGitHub()):
			found.unknown = append(found.unknown, v.name)
		case v.of != mixedServers && v.of != of:
			found.others = append(found.others, v.name)
		case found.name == "":
			if err != nil {
				found.err = errors.Join(found.err, fmt.Errorf("reading the token from the environment: %w (variable %s)", err, v.name))
			}
			found.token, found.name = token, v.name
		}
	}
	return found
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
