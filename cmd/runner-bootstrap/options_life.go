package main

import "time"

// defaultDrain is how long a running job may go on when its runner stops.
const defaultDrain = "5m"

// lifeOptions say when a runner ends, and how. A later install may change them
// without registering the runner anew.
func lifeOptions() []option {
	return []option{
		{
			name: "jit", commands: "install cloud-init",
			usage: "like --ephemeral, but registered by just-in-time configurations instead of config.sh",
			on:    func(o *options) *bool { return &o.jit },
		},
		{
			name: "max-jobs", value: "N", fallback: "0", commands: "install cloud-init",
			usage: "end after so many jobs; 0 is no limit",
			count: func(o *options) *int { return &o.maxJobs },
		},
		{
			name: "max-idle", value: "DURATION", fallback: "0s", commands: "install cloud-init",
			usage: "end after so long without a job; 0 is no limit",
			span:  func(o *options) *time.Duration { return &o.maxIdle },
		},
		{
			name: "max-lifetime", value: "DURATION", fallback: "0s", commands: "install cloud-init",
			usage: "end after so long, a running job may finish; 0 is no limit",
			span:  func(o *options) *time.Duration { return &o.maxLifetime },
		},
		{
			name: "on-exit", value: "COMMAND", commands: "install cloud-init",
			usage: "poweroff, or a shell command, for when the runner has ended of its own accord",
			text:  func(o *options) *string { return &o.onExit },
		},
		{
			name: "drain-timeout", value: "DURATION", fallback: defaultDrain, commands: "install cloud-init",
			usage: "how long a running job may go on when the service stops",
			span:  func(o *options) *time.Duration { return &o.drainTimeout },
		},
		{
			name: "deregister-on-stop", commands: "install cloud-init",
			usage: "take the runner away from GitHub whenever its service stops, and join anew when it starts",
			on:    func(o *options) *bool { return &o.deregisterOnStop },
		},
		{
			name: "preemption", value: "CLOUD", fallback: "auto", commands: "install cloud-init",
			usage: "stop in time when aws, gcp or azure gives notice that it takes this machine away; auto finds out which it is, off",
			text:  func(o *options) *string { return &o.preemption },
		},
		{
			name: "allow", value: "A,B", commands: "install cloud-init",
			usage: "what the service's sandbox leaves to jobs: sudo, docker, or all (no sandbox)",
			list:  func(o *options) *[]string { return &o.allow },
		},
	}
}

// outsideOptions say who is told how a runner is.
func outsideOptions() []option {
	return []option{
		{
			name: "status-webhook", value: "URL", commands: "install cloud-init",
			usage: "where each change of the runner's state is posted as JSON",
			text:  func(o *options) *string { return &o.statusWebhook },
		},
		{
			name: "status-webhook-secret-file", value: "FILE", commands: "install cloud-init",
			usage: "file with the secret that signs what is posted; it must stay there",
			text:  func(o *options) *string { return &o.webhookSecretFile },
		},
		{
			name: "metrics-file", value: "FILE", commands: "install cloud-init",
			usage: "file of metrics for the node exporter's textfile collector; {name} is the runner",
			text:  func(o *options) *string { return &o.metricsFile },
		},
		{
			name: "resume", commands: "drain",
			usage: "take jobs again",
			on:    func(o *options) *bool { return &o.resume },
		},
	}
}
