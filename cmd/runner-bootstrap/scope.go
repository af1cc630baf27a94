package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// scopeOptions say what the runner belongs to.
type scopeOptions struct {
	url    string
	apiURL string
}

func (o *scopeOptions) options() []option {
	return []option{
		{
			name: "url", value: "URL", commands: "install cloud-init prepare doctor " + scopeCommands,
			usage: "what the runner belongs to: https://HOST/ORG, https://HOST/OWNER/REPO or https://HOST/enterprises/SLUG",
			text:  &o.url,
		},
		{
			name: "api-url", value: "URL", commands: "install cloud-init prepare doctor " + scopeCommands,
			usage: "URL of the REST API, if it does not follow from --url",
			text:  &o.apiURL,
		},
	}
}

func (o *scopeOptions) parse() (github.Scope, error) { return github.ParseScope(o.url, o.apiURL) }

// gitHubOptions are what every command takes that speaks to GitHub and leaves this
// host alone.
type gitHubOptions struct {
	scope      scopeOptions
	credential credentialOptions
	place      placeOptions
	network    networkOptions
	output     outputOptions
	call       callOptions
}

func (o *gitHubOptions) groups() []group {
	return []group{&o.scope, &o.credential, &o.place, &o.network, &o.output, &o.call}
}

// withScope reads the credential, and gives do a client for the scope of --url.
func (call *session) withScope(do func(context.Context, *github.Client) error) func(context.Context) error {
	return call.withHost(func(ctx context.Context, host *bootstrap.Host) error {
		o := optionsOf[scopeOptions](call)
		if o.url == "" {
			o.url, o.apiURL = onlyScope(host.Store)
		}
		if o.url == "" {
			return withoutURL()
		}
		scope, err := o.parse()
		if err != nil {
			return err
		}
		if host.Connect == nil {
			return &refusal.Error{Object: "asking GitHub about " + scope.String(), Reason: github.ErrNoCredential, Scope: scope}
		}
		return do(ctx, host.Connect(scope))
	})
}

// onlyScope is what all runners of this host belong to; empty where there are none, or several scopes.
func onlyScope(store *instance.Store) (url, api string) {
	records, err := store.List()
	if err != nil {
		return "", "" // who cannot read them says which scope is meant
	}
	for _, record := range records {
		if url != "" && record.ScopeURL != url {
			return "", ""
		}
		url, api = record.ScopeURL, record.APIURL
	}
	return url, api
}

// findRunner finds a runner by its id or its name. Digits are an id, unless there is
// none of it: a name may consist of digits.
func findRunner(ctx context.Context, client *github.Client, word string) (github.Runner, error) {
	if word == "" {
		return github.Runner{}, usagef("RUNNER: it is empty")
	}
	if id, err := strconv.ParseInt(word, 10, 64); err == nil && id > 0 {
		runner, err := client.Runner(ctx, id)
		if !errors.Is(err, github.ErrNotFound) {
			return runner, err
		}
	}
	return client.RunnerNamed(ctx, word)
}

// exampleURL is the option that says where a runner belongs, for hints.
func exampleURL() []string { return []string{"--url", "https://github.com/OWNER/REPO"} }

// withoutURL refuses a call that does not say where its runner belongs. One of those that are here may be meant.
func withoutURL(here ...string) error {
	text := "--url is required: https://github.com/OWNER/REPO"
	if len(here) > 0 {
		text += "; or --name, for one of the runners here (" + strings.Join(here, ", ") + ")"
	}
	return &usageError{text: text, more: exampleURL()}
}

// namesHere are the names of the runners of this host, as far as the caller may know them.
func namesHere(o placeOptions) []string {
	dir, err := o.absolute()
	if err != nil {
		return nil
	}
	records, _ := instance.NewStore(instance.DefaultPaths(dir).State).List() //nolint:errcheck // they are named only to help
	var names []string
	for _, record := range records {
		names = append(names, record.Name)
	}
	return names
}
