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
	confirmAfter                     time.Duration
	remove                           bool
	noDefaultLabels, replace         bool
	ephemeral, disableUpdate         bool
	createUser, noService            bool
	runnerVersion, sha256            string
	mirror, archive                  string
	noSync                           bool
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
	networkCommands    = "install uninstall status prepare " + scopeCommands
	credentialCommands = networkCommands + " run"
	everyCommand       = runnerCommands + " prepare cache-list cache-prune " + scopeCommands
)

// declaredOptions are all options, in the order of help.
func declaredOptions() []option {
	return slices.Concat(scopeOptions(), credentialOptions(), runnerOptions(), hostOptions(), lifeOptions(), outsideOptions(),
		sourceOptions(), pruneOptions(), networkOptions(), callOptions())
}

func scopeOptions() []option {
	return []option{
		{
			name: "url", value: "URL", commands: "install prepare " + scopeCommands,
			usage: "what the runner belongs to: https://HOST/ORG, https://HOST/OWNER/REPO or https://HOST/enterprises/SLUG",
			text:  func(o *options) *string { return &o.url },
		},
		{
			name: "api-url", value: "URL", commands: "install prepare " + scopeCommands,
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
			name: "registration-token-file", value: "FILE", commands: "install",
			usage: "file with a registration token that was minted elsewhere; no other credential is needed then",
			text:  func(o *options) *string { return &o.registrationTokenFile },
		},
		{
			name: "jitconfig-file", value: "FILE", commands: "install",
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

func runnerOptions() []option {
	return []option{
		{
			name: "name", value: "NAME", commands: runnerCommands + " jitconfig",
			usage: "name of the runner; install takes a template with {hostname}, {random} and {n}, {hostname} if none is given",
			text:  func(o *options) *string { return &o.name },
		},
		{
			name: "count", value: "N", fallback: "1", commands: "install",
			usage: "runners of this kind on this host, from one cache, a service each; those beyond N are removed",
			count: func(o *options) *int { return &o.count },
		},
		{
			name: "labels", value: "A,B", commands: "install jitconfig",
			usage: "labels of the runner beside the default ones",
			list:  func(o *options) *[]string { return &o.labels },
		},
		{
			name: "no-default-labels", commands: "install jitconfig",
			usage: "leave out self-hosted, the operating system and the architecture; needs --labels",
			on:    func(o *options) *bool { return &o.noDefaultLabels },
		},
		{
			name: "runnergroup", value: "GROUP", commands: "install jitconfig",
			usage: "runner group, by name; organizations and enterprises alone have them",
			text:  func(o *options) *string { return &o.runnergroup },
		},
		{
			name: "work", value: "DIR", fallback: defaultWork, commands: "install jitconfig",
			usage: "folder for jobs, in the runner's directory unless absolute",
			text:  func(o *options) *string { return &o.work },
		},
		{
			name: "replace", commands: "install",
			usage: "take over a name that GitHub knows already, or register anew with other options",
			on:    func(o *options) *bool { return &o.replace },
		},
		{
			name: "ephemeral", commands: "install",
			usage: "leave GitHub after each job, and join anew if there is a credential to do it with",
			on:    func(o *options) *bool { return &o.ephemeral },
		},
		{
			name: "disableupdate", commands: "install",
			usage: "the runner does not update itself; GitHub refuses it 30 days after a new version",
			on:    func(o *options) *bool { return &o.disableUpdate },
		},
		{
			name: "env", value: "KEY=VALUE", commands: "install",
			usage: "variable for the runner's .env, which jobs see; may be repeated",
			lines: func(o *options) *[]string { return &o.env },
		},
	}
}

func hostOptions() []option {
	return []option{
		{
			name: "user", value: "ACCOUNT", commands: "install",
			usage: "unprivileged account that runs jobs; as root it is runner, created if absent, otherwise yourself",
			text:  func(o *options) *string { return &o.user },
		},
		{
			name: "create-user", commands: "install",
			usage: "create the account named by --user if it is absent",
			on:    func(o *options) *bool { return &o.createUser },
		},
		{
			name: "user-per-runner", commands: "install",
			usage: "with --count, an account for each runner: ACCOUNT-1, ACCOUNT-2, ...; created where they are absent",
			on:    func(o *options) *bool { return &o.userPerRunner },
		},
		{
			name: "no-service", commands: "install",
			usage: "everything but the service; start the runner with runner-bootstrap run",
			on:    func(o *options) *bool { return &o.noService },
		},
		{
			name: "dir", value: "DIR", commands: runnerCommands + " prepare cache-list cache-prune",
			usage: "keep everything below this directory; needs no root if it is yours",
			text:  func(o *options) *string { return &o.dir },
		},
	}
}

func sourceOptions() []option {
	return []option{
		{
			name: "runner-version", value: "VERSION", commands: "install prepare",
			usage: "exactly this version of the runner, instead of the one that GitHub offers",
			text:  func(o *options) *string { return &o.runnerVersion },
		},
		{
			name: "sha256", value: "HEX", commands: "install prepare",
			usage: "digest that the runner archive must have, beside the one that GitHub gives",
			text:  func(o *options) *string { return &o.sha256 },
		},
		{
			name: "mirror", value: "URL", commands: "install prepare",
			usage: "directory that holds the archives under GitHub's names: http, https or file",
			text:  func(o *options) *string { return &o.mirror },
		},
		{
			name: "archive", value: "FILE", commands: "install prepare",
			usage: "runner archive on this host; nothing is downloaded",
			text:  func(o *options) *string { return &o.archive },
		},
		{
			name: "connections", value: "N", fallback: "8", commands: "install prepare",
			usage: "connections that a download may use, added one by one while one is too slow; at most 8",
			count: func(o *options) *int { return &o.connections },
		},
		{
			name: "no-sync", commands: "install prepare",
			usage: "do not wait until the runner is on the disk; for hosts that do not outlive a power cut anyway",
			on:    func(o *options) *bool { return &o.noSync },
		},
		{
			name: "keep", value: "N", fallback: "1", commands: "cache-prune",
			usage: "runner versions to keep of each platform, the newest ones",
			count: func(o *options) *int { return &o.keep },
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

// pruneOptions choose runners at GitHub.
func pruneOptions() []option {
	return []option{
		{
			name: "label", value: "LABEL", commands: "runners-list runners-prune",
			usage: "only runners that have this label; may be repeated",
			list:  func(o *options) *[]string { return &o.label },
		},
		{
			name: "delete", commands: "runners-prune",
			usage: "really delete; without it nothing is changed",
			on:    func(o *options) *bool { return &o.remove },
		},
		{
			name: "confirm-after", value: "DURATION", fallback: "1m", commands: "runners-prune",
			usage: "time between the two looks at which a runner must be offline",
			span:  func(o *options) *time.Duration { return &o.confirmAfter },
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
			name: "json", commands: "install status prepare cache-list cache-prune " + scopeCommands,
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
