package main

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// defaultWork is the runner's own default.
const defaultWork = "_work"

// nameOptions say which runner a command is about.
type nameOptions struct{ name string }

func (o *nameOptions) options() []option {
	return []option{{
		name: "name", value: "NAME", commands: runnerCommands + " cloud-init jitconfig",
		usage: "name of the runner; install takes a template, and {hostname} if there is no name",
		text:  &o.name,
	}}
}

// countOptions say how many runners of a kind a host has.
type countOptions struct{ count int }

func (o *countOptions) options() []option {
	return []option{{
		name: "count", value: "N", fallback: "1", commands: "install cloud-init",
		usage: "how many runners of this kind this host has, each with a service; those above N are removed; " +
			"left out: as many as there are",
		count: &count{at: &o.count, least: 1},
	}}
}

// identityOptions say how a runner presents itself at GitHub.
type identityOptions struct {
	labels          []string
	metadata        string
	metadataWait    time.Duration
	noDefaultLabels bool
	group           string
	work            string
}

func (o *identityOptions) options() []option {
	return []option{
		{
			name: "labels", value: "A,B", commands: "install cloud-init jitconfig",
			usage: "labels of the runner, in addition to the default ones; install takes templates",
			list:  &o.labels,
		},
		{
			name: "metadata", value: "POLICY",
			among: []string{plan.MetadataAuto, plan.MetadataRequired, plan.MetadataOff}, fallback: "auto", commands: "install cloud-init",
			usage: "ask the cloud for {instance_id}, {region}, {zone}, {instance_type}: auto, required (no answer, no runner), off",
			text:  &o.metadata,
		},
		{
			name: "metadata-wait", value: "DURATION", fallback: "30s", commands: "install cloud-init",
			usage: "how long to wait for the cloud's metadata service, which may be late at boot",
			span:  &span{at: &o.metadataWait, least: time.Millisecond},
		},
		{
			name: "no-default-labels", commands: "install cloud-init jitconfig",
			usage: "leave out self-hosted, the operating system and the architecture; needs --labels",
			on:    &o.noDefaultLabels,
		},
		{
			name: "runnergroup", value: "GROUP", commands: "install cloud-init jitconfig doctor",
			usage: "runner group, by name; only organizations and enterprises have them",
			text:  &o.group,
		},
		{
			name: "work", value: "DIR", fallback: defaultWork, commands: "install cloud-init jitconfig doctor",
			usage: "folder for jobs; a relative one is in the runner's directory",
			text:  &o.work,
		},
	}
}

// folder is the folder for jobs in the one way in which it is compared: "_work/" is no other than "_work".
func (o *identityOptions) folder() string {
	if o.work == "" {
		return ""
	}
	return filepath.Clean(o.work)
}

// check checks what any runner of the scope would be refused for.
func (o *identityOptions) check(scope github.Scope) error {
	switch {
	case o.noDefaultLabels && len(o.labels) == 0:
		return usagef("--no-default-labels needs --labels: a runner without any label gets no job")
	case o.group != "" && scope.Kind == github.Repository:
		return usagef("--runnergroup: a repository has no runner groups; give the organization's URL")
	}
	if !filepath.IsAbs(o.work) {
		if _, err := places.CheckWork(places.Work{Folder: o.work}); err != nil {
			return err
		}
	}
	for _, value := range append([]string{o.group, o.work}, o.labels...) {
		// The runner's own parser takes such a value for the next option.
		if strings.HasPrefix(value, "-") {
			return usagef("%q cannot be a label, a runner group or a folder: it begins with a hyphen", value)
		}
	}
	// One with a placeholder is looked at by the plan, which fills it.
	plain := slices.DeleteFunc(slices.Clone(o.labels), func(label string) bool { return strings.Contains(label, "{") })
	return github.CheckLabels(github.Distinct(plain), 0)
}

// registrationOptions say how a runner is registered, and what its jobs get.
type registrationOptions struct {
	replace       string
	ephemeral     bool
	disableUpdate bool
	update        string
	env           []string
}

func (o *registrationOptions) options() []option {
	return []option{
		{
			name: "replace", once: true, value: "WHICH",
			choices: []string{plan.ReplaceOffline, plan.ReplaceAlways}, commands: "install cloud-init",
			usage: "take over a name that GitHub already has, or register again with other options: offline (only from a runner that is " +
				"offline), always (from any runner); without WHICH: offline",
			text: &o.replace,
		},
		{
			name: "ephemeral", commands: "install cloud-init",
			usage: "leave GitHub after each job, and register again if there is a credential for it",
			on:    &o.ephemeral,
		},
		{
			name: "disableupdate", commands: "install cloud-init",
			usage: "the runner does not update itself; GitHub refuses it 30 days after a new version",
			on:    &o.disableUpdate,
		},
		{
			name: "update", value: "WHO",
			among: []string{instance.UpdateAgent, instance.UpdateRunner, instance.UpdateOff}, commands: "install cloud-init",
			usage: "who brings newer versions: agent, runner (itself), or off (nobody); left out: agent if root installs " +
				"and it can learn of new versions, else runner",
			windows: "who brings newer versions: agent, runner (itself), or off (nobody); left out: agent if there is a service " +
				"and it can learn of new versions, else runner",
			text: &o.update,
		},
		{
			name: "env", once: true, value: "KEY=VALUE", commands: "install cloud-init",
			usage: "variable for the runner's .env, which jobs see; may be repeated",
			lines: &o.env,
		},
	}
}

func (o *registrationOptions) check() error {
	for _, variable := range o.env {
		key, value, found := strings.Cut(variable, "=")
		switch {
		case !found || key == "":
			return usagef("--env: %q is not KEY=VALUE", key)
		case strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
			return usagef("--env: %q has a blank in its name, which no variable has", key)
		case strings.Contains(value, "\x00"):
			return usagef("--env: the value of %q has a zero byte in it, which no variable can keep", key)
		}
	}
	return nil
}
