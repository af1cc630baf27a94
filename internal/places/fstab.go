package places

import (
	"bufio"
	"io"
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
	return unmounted(path, file, string(mounted))
}

// unmounted is Unmounted by what fstab and the kernel's list say.
func unmounted(path string, fstab io.Reader, mounted string) string {
	for lines := bufio.NewScanner(fstab); lines.Scan(); {
		// What else Unicode calls white space may be a part of a name: fstab(5).
		fields := strings.FieldsFunc(lines.Text(), func(r rune) bool { return r == ' ' || r == '\t' })
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") || fields[1] == "/" || !strings.HasPrefix(fields[1], "/") {
			continue
		}
		point := filepath.Clean(fields[1]) // the kernel writes no slash at the end
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(point)
		if within(path, at) && !strings.Contains(mounted, " "+point+" ") {
			return at
		}
	}
	return ""
}
