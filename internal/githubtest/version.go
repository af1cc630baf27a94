package githubtest

import (
	"cmp"
	"strconv"
	"strings"
)

// compareVersions orders versions by their numbers. A part that is no number counts as zero.
func compareVersions(a, b string) int {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(left), len(right)) {
		if c := cmp.Compare(versionPart(left, i), versionPart(right, i)); c != 0 {
			return c
		}
	}
	return 0
}

func versionPart(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}

func olderThan(version, minimum string) bool { return compareVersions(version, minimum) < 0 }
