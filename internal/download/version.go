package download

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

var validVersion = pattern.New(`^\d{1,9}\.\d{1,9}\.\d{1,9}$`)

// ValidVersion tells whether text is a version of the runner, "2.337.0".
func ValidVersion(text string) bool { return validVersion.MatchString(text) }

// CompareVersions is negative if a is older than b, positive if it is newer.
// What is no version is older than everything. Releases are compared by number:
// a maintenance release may come after newer ones.
func CompareVersions(a, b string) int {
	pa, pb := strings.Split(a, "."), strings.Split(b, ".")
	for i := range 3 {
		if c := cmp.Compare(number(pa, i), number(pb, i)); c != 0 {
			return c
		}
	}
	return 0
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return -1
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return -1
	}
	return n
}
