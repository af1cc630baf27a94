package main

import "time"

// sourceOptions say where the runner comes from.
func sourceOptions() []option {
	return []option{
		{
			name: "runner-version", value: "VERSION", commands: "install cloud-init prepare",
			usage: "exactly this version of the runner, instead of the one that GitHub offers",
			text:  func(o *options) *string { return &o.runnerVersion },
		},
		{
			name: "sha256", value: "HEX", commands: "install cloud-init prepare",
			usage: "digest that the runner archive must have, beside the one that GitHub gives",
			text:  func(o *options) *string { return &o.sha256 },
		},
		{
			name: "mirror", value: "URL", commands: "install cloud-init prepare",
			usage: "directory that holds the archives under GitHub's names: http, https or file",
			text:  func(o *options) *string { return &o.mirror },
		},
		{
			name: "archive", value: "FILE", commands: "install cloud-init prepare",
			usage: "runner archive on this host; nothing is downloaded",
			text:  func(o *options) *string { return &o.archive },
		},
		{
			name: "connections", value: "N", fallback: "8", commands: "install cloud-init prepare",
			usage: "connections that a download may use, added one by one while one is too slow; at most 8",
			count: func(o *options) *int { return &o.connections },
		},
		{
			name: "no-sync", commands: "install cloud-init prepare",
			usage: "do not wait until the runner is on the disk; for hosts that do not outlive a power cut anyway",
			on:    func(o *options) *bool { return &o.noSync },
		},
		{
			name: "seal", commands: "prepare",
			usage: "prove that an image of this host would hold no secret and no runner; fails with what was found",
			on:    func(o *options) *bool { return &o.seal },
		},
		{
			name: "keep", value: "N", fallback: "1", commands: "cache-prune",
			usage: "runner versions to keep of each platform, the newest ones",
			count: func(o *options) *int { return &o.keep },
		},
	}
}

// userDataOptions are for cloud-init alone.
func userDataOptions() []option {
	return []option{
		{
			name: "baked", commands: "cloud-init",
			usage: "the image has this program already, and best the runner in its cache (see prepare)",
			on:    func(o *options) *bool { return &o.baked },
		},
		{
			name: "package", value: "URL", commands: "cloud-init",
			usage: "deb or rpm of this program that the machine shall install, instead of the latest release by its script",
			text:  func(o *options) *string { return &o.packageURL },
		},
		{
			name: "package-sha256", value: "HEX", commands: "cloud-init",
			usage: "digest that the package must have",
			text:  func(o *options) *string { return &o.packageSHA256 },
		},
		{
			name: "i-know", commands: "cloud-init",
			usage: "put the long-lived credential into the user data, where every process of the machine may be able to read it",
			on:    func(o *options) *bool { return &o.iKnow },
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
