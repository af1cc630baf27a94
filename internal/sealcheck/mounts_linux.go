package sealcheck

import (
	"bytes"
	"os"
	"slices"
	"strings"
)

// mount is one line of what the kernel tells of mounts.
type mount struct {
	at, kind, source string
}

// mounts reads /proc/self/mountinfo, as proc(5) describes it. Without it nothing is known of mounts but that they are.
func mounts() []mount {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseMounts(text)
}

func parseMounts(text []byte) []mount {
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var all []mount
	for line := range bytes.Lines(text) {
		before, after, found := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		// The kernel escapes blanks in names, and not what else Unicode calls white space.
		one, two := strings.Split(before, " "), strings.Split(after, " ")
		if !found || len(one) < 5 || len(two) < 2 {
			continue
		}
		all = append(all, mount{at: plain.Replace(one[4]), kind: two[0], source: two[1]})
	}
	return all
}

// mountAt says what is mounted somewhere and was not looked at; empty for what is no part of any disk.
func mountAt(where string) string { return mountIn(mounts(), where) }

func mountIn(all []mount, where string) string {
	for _, m := range slices.Backward(all) { // the last one lies on top
		if m.at != where {
			continue
		}
		switch m.kind {
		case "proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "ramfs", "cgroup", "cgroup2", "mqueue", "hugetlbfs", "debugfs", "tracefs",
			"securityfs", "pstore", "bpf", "configfs", "fusectl", "binfmt_misc", "efivarfs", "autofs", "nsfs", "rpc_pipefs":
			return ""
		}
		return "another file system is mounted there (" + m.kind + " of " + m.source + ")"
	}
	return "another file system is mounted there"
}

// mountedParts are the places at which more of the folders' own file systems is mounted: the subvolumes of btrfs.
func mountedParts(folders []string) []string { return partsIn(mounts(), folders) }

func partsIn(all []mount, folders []string) []string {
	var parts []string
	for _, folder := range folders {
		var own mount
		for _, m := range all {
			if m.at == folder {
				own = m
			}
		}
		if own.kind != "btrfs" {
			continue
		}
		for _, m := range all {
			below := m.at != folder && strings.HasPrefix(m.at, strings.TrimSuffix(folder, "/")+"/")
			if below && m.kind == own.kind && m.source == own.source {
				parts = append(parts, m.at)
			}
		}
	}
	return parts
}
