package jail

import (
	"os"
	"strconv"
	"strings"
)

const (
	// mostTasks is more than the largest build has, and less than a small host's processes.
	mostTasks = 16384
	fewTasks  = 512
)

// Tasks is how many processes and threads a life may have on this host, so that the host has as many left: half of what the
// kernel gives numbers to, and 16,384 at most.
func Tasks() int {
	most := 2 * mostTasks
	for _, name := range []string{"pid_max", "threads-max"} {
		text, err := os.ReadFile("/proc/sys/kernel/" + name)
		if err != nil {
			continue // the other may say it
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			most = min(most, n)
		}
	}
	return max(most/2, fewTasks)
}
