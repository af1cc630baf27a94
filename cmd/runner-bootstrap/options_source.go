package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

// maxConnections is what a download may use: more does not help and offends the
// server.
const maxConnections = 8

// sourceOptions say where the runner comes from.
type sourceOptions struct {
	version       string
	sha256        string
	mirror        string
	mirrorHeaders string
	archive       string
	connections   int
	stallTimeout  time.Duration
	noSync        bool
}

func (o *sourceOptions) options() []option {
	return []option{
		{
			name: "runner-version", value: "VERSION", commands: "install cloud-init prepare",
			usage: "exactly this version of the runner, instead of the one that GitHub offers",
			text:  &o.version,
		},
		{
			name: "sha256", value: "HEX", commands: "install cloud-init prepare",
			usage: "digest that the runner archive must have, in addition to GitHub's",
			text:  &o.sha256,
		},
		{
			name: "mirror", value: "URL", commands: "install cloud-init prepare",
			usage: "directory that holds the archives under GitHub's names: http, https or file",
			text:  &o.mirror,
		},
		{
			name: "mirror-header-file", value: "FILE", given: givenSecret, commands: "install prepare",
			usage: "file with HTTP headers for the mirror only, one in each line (Authorization: ...); keep the file",
			text:  &o.mirrorHeaders,
		},
		{
			name: "archive", value: "FILE", commands: "install cloud-init prepare",
			usage: "runner archive on this host; nothing is downloaded",
			text:  &o.archive,
		},
		{
			name: "connections", once: true, value: "N", fallback: "8", commands: "install cloud-init prepare",
			usage: "most connections of a download; more than one are used only while it is slow; at most 8",
			count: &count{at: &o.connections, least: 1, most: maxConnections},
		},
		{
			name: "stall-timeout", once: true, value: "DURATION", fallback: "5m", commands: "install cloud-init prepare",
			usage: "longest silence of a download before it is tried again; the first is 30s, each next one is twice as long, up to this",
			span:  &span{at: &o.stallTimeout, least: time.Second},
		},
		{
			name: "no-sync", once: true, commands: "install cloud-init prepare",
			usage: "skip fsync; for throw-away hosts",
			on:    &o.noSync,
		},
	}
}

// source is what the phases know of these options.
func (o *sourceOptions) source() (download.Source, error) {
	version := strings.TrimPrefix(o.version, "v") // as a release is tagged
	switch {
	case o.sha256 != "" && !download.ValidDigest(o.sha256):
		return download.Source{}, usagef("--sha256: %q is not a SHA-256 in hexadecimal", o.sha256)
	case version != "" && !download.ValidVersion(version):
		return download.Source{}, usagef("--runner-version: %q is not a version such as 2.337.0", o.version)
	case o.archive != "" && o.mirror != "":
		return download.Source{}, usagef("--archive and --mirror: the runner comes from one place")
	case o.mirrorHeaders != "" && o.mirror == "":
		return download.Source{}, usagef("--mirror-header-file: needs --mirror")
	}
	if o.mirror != "" {
		if _, err := download.ParseMirror(o.mirror); err != nil {
			return download.Source{}, fmt.Errorf("--mirror: %w", err)
		}
	}
	archive := o.archive
	if archive != "" {
		absolute, err := filepath.Abs(archive)
		if err != nil {
			return download.Source{}, usagef("--archive: %v", err)
		}
		archive = absolute
	}
	headers := o.mirrorHeaders
	if headers != "" {
		absolute, err := filepath.Abs(headers)
		if err != nil {
			return download.Source{}, usagef("--mirror-header-file: %v", err)
		}
		headers = absolute
	}
	return download.Source{Version: version, SHA256: o.sha256, Mirror: o.mirror, MirrorHeaders: headers, Archive: archive}, nil
}
