package volume

import "golang.org/x/sys/windows"

// Full are the system's errors of what has no room left: a file system, and a quota.
func Full() []error {
	return []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
}
