package main

import (
	"time"
)

// outputOptions say whether a result is printed as data, or only what it would be.
type outputOptions struct {
	dryRun bool
	json   bool
}

func (o *outputOptions) options() []option {
	return []option{
		{
			name: "dry-run", once: true, commands: "install cache-prune",
			usage: "print what would be done and change nothing",
			on:    &o.dryRun,
		},
		{
			name: "json", once: true, commands: "install list status prepare doctor version cache-list cache-prune " + scopeCommands,
			usage: "print the result as JSON",
			on:    &o.json,
		},
	}
}

// callOptions are about the call itself: whence its options come, how long it may
// take, and how it is logged.
type callOptions struct {
	config     string
	timeout    time.Duration
	noProgress bool
	logFormat  string
	logLevel   string

	history bool // no option: what is told is one, of a supervisor
}

func (o *callOptions) options() []option {
	return []option{
		{
			name: "config", once: true, value: "FILE", given: givenRead, commands: everyCommand,
			usage:   "configuration file with these options as keys; /etc/runner-bootstrap/config.yaml is read if it is there",
			windows: `configuration file with these options as keys; %ProgramData%\runner-bootstrap\config.yaml is read if it is there`,
			text:    &o.config,
		},
		{
			name: "timeout", once: true, value: "DURATION", fallback: "15m", commands: "cache-prune drain restart " + networkCommands,
			usage: "give up after this long; waiting for rate limits counts",
			span:  &span{at: &o.timeout, least: time.Millisecond},
		},
		{
			name: "no-progress", once: true, commands: everyCommand,
			usage: "no progress bar, and no progress lines in a log",
			on:    &o.noProgress,
		},
		{
			name: "log-format", once: true, value: "FORMAT", among: logFormats(), fallback: formatAuto, commands: everyCommand,
			usage: "lines (for a person), journal (lines with priorities), text or json (for machines), " +
				"auto (journal under systemd, else lines)",
			windows: "lines (for a person), text or json (for machines), auto (lines)",
			text:    &o.logFormat,
		},
		{
			name: "log-level", once: true, value: "LEVEL",
			among: []string{"debug", "info", "warn", "error"}, fallback: "info", commands: everyCommand,
			usage: "debug, info, warn or error",
			text:  &o.logLevel,
		},
	}
}
