package status

import (
	"os"
	"strconv"
	"strings"
)

// replaced tells whether the file that a process was started from is gone, as after an update; not where that may not be seen.
func replaced(pid int) bool {
	file, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && strings.HasSuffix(file, " (deleted)")
}
