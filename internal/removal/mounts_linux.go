package removal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mounts lists where something is mounted at a path or below it. The path is one without links, as [folders.Open] gives
// it.
func Mounts(path string) ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing what is mounted: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(table)) {
		// The kernel escapes blanks in names, and not what else Unicode calls white space.
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ") // number, that of the mount around it, device, root, mount point
		const point = 4
		if len(fields) <= point {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[point])
		if below, err := filepath.Rel(path, at); err == nil && filepath.IsLocal(below) {
			points = append(points, at)
		}
	}
	return points, nil
}
