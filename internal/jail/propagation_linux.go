package jail

import (
	"os"
	"strings"
)

// FollowsMounts tells whether a life that was prepared, and the one that uses it later, see what is mounted on this host, and what is
// unmounted, in the meantime, as it is where systemd has booted. Elsewhere one that was prepared has the mounts of that moment, and would
// hold disks that are to be taken away.
func FollowsMounts() bool {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && follows(string(mounts))
}

// follows looks at the root, which all else is mounted below; the last one that was mounted there counts (proc(5)).
func follows(mountinfo string) bool {
	found := false
	for line := range strings.Lines(mountinfo) {
		// The kernel escapes blanks in names, and not what else Unicode calls white space.
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(fields) < 7 || fields[4] != "/" {
			continue
		}
		found = strings.HasPrefix(fields[6], "shared:") || strings.HasPrefix(fields[6], "master:")
	}
	return found
}
