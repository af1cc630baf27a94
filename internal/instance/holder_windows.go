package instance

import (
	"os"

	"golang.org/x/sys/windows"
)

// namespace is empty: a host has one set of process numbers.
func namespace() string { return "" }

// boot is empty: a process's start is a time of the day.
func boot() string { return "" }

// startOf is when the process pid started, in 100 nanoseconds since 1601; 0 if there is none.
func startOf(pid int) uint64 {
	if pid <= 0 {
		return 0
	}
	//nolint:gosec // it is positive, see above
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return 0
	}
	defer windows.CloseHandle(process) //nolint:errcheck // it was only read
	var began, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(process, &began, &ended, &kernel, &user) != nil || ended != (windows.Filetime{}) {
		return 0
	}
	return uint64(began.HighDateTime)<<32 | uint64(began.LowDateTime)
}

// mayHaveOpen takes it on trust: numbers count on the whole host.
func mayHaveOpen(int, *os.File) bool { return true }

// groupAlive tells whether the leader is alive: there are no process groups.
func groupAlive(leader int) bool { return alive(leader) }
