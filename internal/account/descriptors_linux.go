package account

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstOther is the first descriptor that is no standard stream.
const firstOther = 3

// HideDescriptors keeps what this process has open, standard streams aside, from every
// program that it starts: a lock that a shell holds around it would else last as long as a
// daemon that config.sh or a job leaves. It may be repeated.
func HideDescriptors() error {
	err := unix.CloseRange(firstOther, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Before Linux 5.11, or refused by a sandbox.
	open, listErr := os.ReadDir("/proc/self/fd")
	if listErr != nil {
		return fmt.Errorf("hiding open files from programs: %w", errors.Join(err, listErr))
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= firstOther {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
