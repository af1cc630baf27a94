package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// defaultDrain is how long a running job may go on when its runner stops.
const defaultDrain = "5m"

// lifecycleOptions say when a runner ends, and how. A later install may change
// them without registering the runner again.
type lifecycleOptions struct {
	jit              bool
	maxJobs          int
	maxIdle          time.Duration
	maxLifetime      time.Duration
	onExit           string
	onExitPreempted  bool
	drainTimeout     time.Duration
	deregisterOnStop bool
	preemption       string
	allow            []string
}

func (o *lifecycleOptions) options() []option {
	return []option{
		{
			name: "jit", commands: "install cloud-init",
			usage:   "like --ephemeral, but registered by just-in-time configurations instead of config.sh",
			windows: "like --ephemeral, but registered by just-in-time configurations instead of config.cmd",
			on:      &o.jit,
		},
		{
			name: "max-jobs", value: "N", fallback: "0", commands: "install cloud-init",
			usage: "end after so many jobs; 0 is no limit",
			count: &count{at: &o.maxJobs},
		},
		{
			name: "max-idle", value: "DURATION", fallback: "0s", commands: "install cloud-init",
			usage: "end after so long without a job; 0 is no limit",
			span:  &span{at: &o.maxIdle},
		},
		{
			name: "max-lifetime", value: "DURATION", fallback: "0s", commands: "install cloud-init",
			usage: "end after so long; a running job may finish; 0 is no limit",
			span:  &span{at: &o.maxLifetime},
		},
		{
			name: "on-exit", value: "COMMAND", commands: "install cloud-init",
			usage: "command for when the runner has ended by itself (--max-jobs, --max-idle, ...): poweroff, or a shell command",
			text:  &o.onExit,
		},
		{
			name: "on-exit-preempted", commands: "install cloud-init",
			usage: "run --on-exit also when the cloud takes this machine away, after all runners of this host have ended",
			on:    &o.onExitPreempted,
		},
		{
			name: "drain-timeout", value: "DURATION", fallback: defaultDrain, commands: "install cloud-init",
			usage: "how long a running job may go on when the service stops",
			span:  &span{at: &o.drainTimeout},
		},
		{
			name: "deregister-on-stop", commands: "install cloud-init",
			usage: "remove the runner from GitHub whenever its service stops, and register it again when it starts",
			on:    &o.deregisterOnStop,
		},
		{
			name: "preemption", value: "CLOUD",
			among: []string{"auto", "aws", "gcp", "azure", "off"}, fallback: "auto", commands: "install cloud-init",
			usage: "stop in time when the cloud announces that it takes this machine away: aws, gcp, azure, auto (find out which), off",
			text:  &o.preemption,
		},
		{
			name: "allow", value: "A,B",
			among: []string{plan.AllowSudo, plan.AllowDocker, plan.AllowDBus, plan.AllowAll}, commands: "install cloud-init",
			usage: "what jobs may use of this host: sudo, docker, dbus, or all (no confinement)",
			only:  exclusive{linuxAlone, "jobs may do what their account may; see --user"},
			list:  &o.allow,
		},
	}
}

func (o *lifecycleOptions) check() error {
	if o.onExitPreempted && (o.onExit == "" || o.onExit == "none") {
		return usagef("--on-exit-preempted needs --on-exit")
	}
	return nil
}

// reportOptions say who is told how a runner is.
type reportOptions struct {
	webhook       string
	webhookSecret string // a file
	metricsFile   string
}

func (o *reportOptions) options() []option {
	return []option{
		{
			name: "status-webhook", value: "URL", commands: "install cloud-init",
			usage: "URL that gets each change of the runner's state, posted as JSON",
			text:  &o.webhook,
		},
		{
			name: "status-webhook-secret-file", value: "FILE", given: givenSecret, commands: "install cloud-init",
			usage: "file with the secret that signs what is posted; keep the file",
			text:  &o.webhookSecret,
		},
		{
			name: "metrics-file", value: "FILE", given: givenFolder, commands: "install cloud-init",
			usage: "file of metrics for the node exporter's textfile collector; {name} is the runner",
			text:  &o.metricsFile,
		},
	}
}

func (o *reportOptions) check() error {
	if o.webhookSecret != "" && o.webhook == "" {
		return usagef("--status-webhook-secret-file needs --status-webhook")
	}
	if err := health.CheckURL(o.webhook); o.webhook != "" && err != nil {
		return usagef("--status-webhook: %v", err)
	}
	return nil
}

// lifecycle is what the record keeps of these options.
func lifecycle(o *lifecycleOptions, report *reportOptions) (instance.Life, error) {
	if err := o.check(); err != nil {
		return instance.Life{}, err
	}
	if err := report.check(); err != nil {
		return instance.Life{}, err
	}
	kept := instance.Life{
		MaxJobs: o.maxJobs, MaxIdle: instance.Duration(o.maxIdle), MaxLifetime: instance.Duration(o.maxLifetime),
		DrainTimeout: instance.Duration(o.drainTimeout), DeregisterOnStop: o.deregisterOnStop,
		OnExit: o.onExit, OnExitPreempted: o.onExitPreempted, Preemption: o.preemption, Webhook: report.webhook,
		Allow: slices.Sorted(slices.Values(o.allow)),
	}
	if kept.OnExit == "none" {
		kept.OnExit = ""
	}
	var err error
	if report.webhookSecret != "" {
		if kept.WebhookSecret, err = filepath.Abs(report.webhookSecret); err == nil {
			_, err = openfile.Read(kept.WebhookSecret, maxSecret)
		}
		if err != nil {
			return instance.Life{}, unread(err, "--status-webhook-secret-file: %v", err)
		}
	}
	if report.metricsFile != "" {
		if kept.MetricsFile, err = filepath.Abs(report.metricsFile); err != nil {
			return instance.Life{}, usagef("--metrics-file: %v", err)
		}
	}
	return kept, nil
}
