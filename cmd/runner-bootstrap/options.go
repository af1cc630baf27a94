package main

import (
	"slices"
	"strings"
	"time"
)

// options holds the values of all options, whichever command they are for.
type options struct {
	url, apiURL                      string
	tokenFile, tokenCommand          string
	appID, appKeyFile, appKeyCommand string
	appInstallationID                string
	name, runnergroup, work, user    string
	labels, env, label               []string
	confirmAfter, metadataWait       time.Duration
	metadata                         string
	remove                           bool
	noDefaultLabels, replace         bool
	ephemeral, disableUpdate         bool
	createUser, noService, fix       bool
	runnerVersion, sha256            string
	mirror, archive                  string
	noSync, seal                     bool
	baked, iKnow                     bool
	packageURL, packageSHA256        string
	connections, keep                int
	dryRun, json, all, force, local  bool
	dir, config, logFormat, logLevel string
	noProgress                       bool
	proxy, noProxy, caFile           string
	timeout                          time.Duration

	registrationTokenFile, jitConfigFile, removeTokenFile string

	jit, deregisterOnStop, resume      bool
	maxJobs, count                     int
	userPerRunner                      bool
	maxIdle, maxLifetime, drainTimeout time.Duration
	onExit, preemption                 string
	allow                              []string
	statusWebhook, webhookSecretFile   string
	metricsFile                        string
}

// option is one option, declared here and nowhere else: flags, environment
// variables, keys of the configuration file, help and the README's table are
// made from it.
type option struct {
	name     string
	value    string // what its value is called in help; empty for a switch
	usage    string
	fallback string // its default, as it would be typed
	commands string // which commands have it, separated by blanks; "cache-list" is cache list

	// Exactly one of these says where its value goes.
	text  func(*options) *string
	on    func(*options) *bool
	list  func(*options) *[]string // separated by commas, or given again
	lines func(*options) *[]string // one in each, or given again
	span  func(*options) *time.Duration
	count func(*options) *int // not negative
}

// defaultWork is the runner's own default.
const defaultWork = "_work"

// environmentPrefix stands before the names of our own variables.
const environmentPrefix = "RUNNER_BOOTSTRAP_"

// variable is the option's environment variable.
func (o option) variable() string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// of tells whether the option belongs to command.
func (o option) of(command string) bool {
	return slices.Contains(strings.Fields(o.commands), command)
}

const (
	runnerCommands = "install uninstall status run drain"
	scopeCommands  = "runners-list runners-get runners-delete runners-prune labels-list labels-add labels-set labels-remove " +
		"labels-clear groups-list downloads token-registration token-remove jitconfig"
	networkCommands    = "install cloud-init uninstall status prepare doctor " + scopeCommands
	credentialCommands = networkCommands + " run"
	everyCommand       = runnerCommands + " cloud-init prepare doctor cache-list cache-prune " + scopeCommands
)

// declaredOptions are all options, in the order of help.
func declaredOptions() []option {
	return slices.Concat(scopeOptions(), credentialOptions(), identityOptions(), runnerOptions(), hostOptions(), lifeOptions(),
		outsideOptions(), sourceOptions(), userDataOptions(), pruneOptions(), networkOptions(), doctorOptions(), callOptions())
}

func scopeOptions() []option {
	return []option{
		{
			name: "url", value: "URL", commands: "install cloud-init prepare doctor " + scopeCommands,
			usage: "what the runner belongs to: https://HOST/ORG, https://HOST/OWNER/REPO or https://HOST/enterprises/SLUG",
			text:  func(o *options) *string { return &o.url },
		},
		{
			name: "api-url", value: "URL", commands: "install cloud-init prepare doctor " + scopeCommands,
			usage: "root of the REST API, where it does not follow from --url",
			text:  func(o *options) *string { return &o.apiURL },
		},
		{
			name: "token-file", value: "FILE", commands: credentialCommands,
			usage: "file that holds the access token; - reads standard input",
			text:  func(o *options) *string { return &o.tokenFile },
		},
	}
}

func credentialOptions() []option {
	return []option{
		{
			name: "token-command", value: "COMMAND", commands: credentialCommands,
			usage: "shell command that prints the access token",
			text:  func(o *options) *string { return &o.tokenCommand },
		},
		{
			name: "app-id", value: "ID", commands: credentialCommands,
			usage: "GitHub App to act as, by its client ID or its number",
			text:  func(o *options) *string { return &o.appID },
		},
		{
			name: "app-key-file", value: "FILE", commands: credentialCommands,
			usage: "private key of the GitHub App, as GitHub gave it",
			text:  func(o *options) *string { return &o.appKeyFile },
		},
		{
			name: "app-key-command", value: "COMMAND", commands: credentialCommands,
			usage: "shell command that prints the private key of the GitHub App; the key is then on no disk",
			text:  func(o *options) *string { return &o.appKeyCommand },
		},
		{
			name: "app-installation-id", value: "ID", commands: credentialCommands,
			usage: "installation of the GitHub App; found by --url if not given",
			text:  func(o *options) *string { return &o.appInstallationID },
		},
		{
			name: "registration-token-file", value: "FILE", commands: "install cloud-init",
			usage: "file with a registration token that was minted elsewhere; no other credential is needed then",
			text:  func(o *options) *string { return &o.registrationTokenFile },
		},
		{
			name: "jitconfig-file", value: "FILE", commands: "install cloud-init",
			usage: "file with a just-in-time configuration that was made elsewhere; no credential is needed then",
			text:  func(o *options) *string { return &o.jitConfigFile },
		},
		{
			name: "remove-token-file", value: "FILE", commands: "uninstall",
			usage: "file with a remove token that was minted elsewhere; no other credential is needed then",
			text:  func(o *options) *string { return &o.removeTokenFile },
		},
	}
}

// identityOptions say how a runner presents itself.
func identityOptions() []option {
	return []option{
		{
			name: "name", value: "NAME", commands: runnerCommands + " cloud-init jitconfig",
			usage: "name of the runner; install takes a template, {hostname} if none is given",
			text:  func(o *options) *string { return &o.name },
		},
		{
			name: "count", value: "N", fallback: "1", commands: "install cloud-init",
			usage: "runners of this kind on this host, from one cache, a service each; those beyond N are removed",
			count: func(o *options) *int { return &o.count },
		},
		{
			name: "labels", value: "A,B", commands: "install cloud-init jitconfig",
			usage: "labels of the runner beside the default ones; install takes templates",
			list:  func(o *options) *[]string { return &o.labels },
		},
		{
			name: "metadata", value: "POLICY", fallback: "auto", commands: "install cloud-init",
			usage: "ask the cloud for {instance_id}, {region}, {zone}, {instance_type}: auto, required (no runner without), off",
			text:  func(o *options) *string { return &o.metadata },
		},
		{
			name: "metadata-wait", value: "DURATION", fallback: "30s", commands: "install cloud-init",
			usage: "how long a cloud's metadata service, which may be late at boot, is waited for",
			span:  func(o *options) *time.Duration { return &o.metadataWait },
		},
		{
			name: "no-default-labels", commands: "install cloud-init jitconfig",
			usage: "leave out self-hosted, the operating system and the architecture; needs --labels",
			on:    func(o *options) *bool { return &o.noDefaultLabels },
		},
		{
			name: "runnergroup", value: "GROUP", commands: "install cloud-init jitconfig doctor",
			usage: "runner group, by name; organizations and enterprises alone have them",
			text:  func(o *options) *string { return &o.runnergroup },
		},
	}
}

func runnerOptions() []option {
	return []option{
		{
			name: "work", value: "DIR", fallback: defaultWork, commands: "install cloud-init jitconfig doctor",
			usage: "folder for jobs, in the runner's directory unless absolute",
			text:  func(o *options) *string { return &o.work },
		},
		{
			name: "replace", commands: "install cloud-init",
			usage: "take over a name that GitHub knows already, or register anew with other options",
			on:    func(o *options) *bool { return &o.replace },
		},
		{
			name: "ephemeral", commands: "install cloud-init",
			usage: "leave GitHub after each job, and join anew if there is a credential to do it with",
			on:    func(o *options) *bool { return &o.ephemeral },
		},
		{
			name: "disableupdate", commands: "install cloud-init",
			usage: "the runner does not update itself; GitHub refuses it 30 days after a new version",
			on:    func(o *options) *bool { return &o.disableUpdate },
		},
		{
			name: "env", value: "KEY=VALUE", commands: "install cloud-init",
			usage: "variable for the runner's .env, which jobs see; may be repeated",
			lines: func(o *options) *[]string { return &o.env },
		},
	}
}

func hostOptions() []option {
	return []option{
		{
			name: "user", value: "ACCOUNT", commands: "install cloud-init doctor",
			usage: "unprivileged account that runs jobs; as root it is runner, created if absent, otherwise yourself",
			text:  func(o *options) *string { return &o.user },
		},
		{
			name: "create-user", commands: "install cloud-init",
			usage: "create the account named by --user if it is absent",
			on:    func(o *options) *bool { return &o.createUser },
		},
		{
			name: "user-per-runner", commands: "install cloud-init",
			usage: "with --count, an account for each runner: ACCOUNT-1, ACCOUNT-2, ...; created where they are absent",
			on:    func(o *options) *bool { return &o.userPerRunner },
		},
		{
			name: "no-service", commands: "install cloud-init doctor",
			usage: "everything but the service; start the runner with runner-bootstrap run",
			on:    func(o *options) *bool { return &o.noService },
		},
		{
			name: "dir", value: "DIR", commands: runnerCommands + " cloud-init prepare doctor cache-list cache-prune",
			usage: "keep everything below this directory; needs no root if it is yours",
			text:  func(o *options) *string { return &o.dir },
		},
	}
}

// networkOptions say how the network is reached.
func networkOptions() []option {
	return []option{
		{
			name: "proxy", value: "URL", commands: credentialCommands,
			usage: "HTTP proxy for everything, the runner and its jobs included; instead of the variable https_proxy",
			text:  func(o *options) *string { return &o.proxy },
		},
		{
			name: "no-proxy", value: "HOST,HOST", commands: credentialCommands,
			usage: "hosts that are reached without the proxy; instead of the variable no_proxy",
			text:  func(o *options) *string { return &o.noProxy },
		},
		{
			name: "ca-file", value: "FILE", commands: credentialCommands,
			usage: "certificate authorities in PEM to trust beside the system's, for the runner and its jobs as well",
			text:  func(o *options) *string { return &o.caFile },
		},
	}
}

func callOptions() []option {
	return []option{
		{
			name: "all", commands: "uninstall",
			usage: "every runner of this host",
			on:    func(o *options) *bool { return &o.all },
		},
		{
			name: "force", commands: "uninstall",
			usage: "even while it runs a job",
			on:    func(o *options) *bool { return &o.force },
		},
		{
			name: "local", commands: "uninstall",
			usage: "without telling GitHub, which goes on listing the runner; for a scope that is gone",
			on:    func(o *options) *bool { return &o.local },
		},
		{
			name: "dry-run", commands: "install cache-prune",
			usage: "print what would be done and change nothing",
			on:    func(o *options) *bool { return &o.dryRun },
		},
		{
			name: "json", commands: "install status prepare doctor cache-list cache-prune " + scopeCommands,
			usage: "print the result as JSON",
			on:    func(o *options) *bool { return &o.json },
		},
		{
			name: "config", value: "FILE", commands: everyCommand,
			usage: "configuration file with these options as keys; /etc/runner-bootstrap/config.yaml is read if it is there",
			text:  func(o *options) *string { return &o.config },
		},
		{
			name: "timeout", value: "DURATION", fallback: "15m", commands: "cache-prune drain " + networkCommands,
			usage: "give up after this long, waits for rate limits included",
			span:  func(o *options) *time.Duration { return &o.timeout },
		},
		{
			name: "no-progress", commands: everyCommand,
			usage: "no progress bar, and no progress lines in a log",
			on:    func(o *options) *bool { return &o.noProgress },
		},
		{
			name: "log-format", value: "FORMAT", fallback: "auto", commands: everyCommand,
			usage: "lines (for a person), text or json (log lines), auto: lines on a terminal, text elsewhere",
			text:  func(o *options) *string { return &o.logFormat },
		},
		{
			name: "log-level", value: "LEVEL", fallback: "info", commands: everyCommand,
			usage: "debug, info, warn or error",
			text:  func(o *options) *string { return &o.logLevel },
		},
	}
}
