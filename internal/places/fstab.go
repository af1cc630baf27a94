package places

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// Unmounted names the mount point at or above a path that /etc/fstab has and on which nothing is mounted; empty if there is
// none.
func Unmounted(path string) string {
	mounted, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	file, err := os.Open("/etc/fstab")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") || fields[1] == "/" || !strings.HasPrefix(fields[1], "/") {
			continue
		}
		point := filepath.Clean(fields[1]) // the kernel writes no slash at the end
		at := strings.ReplaceAll(point, `\040`, " ")
		if within(path, at) && !strings.Contains(string(mounted), " "+point+" ") {
			return at
		}
	}
	return ""
}
