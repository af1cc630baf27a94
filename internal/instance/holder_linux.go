package instance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
)

// namespace names the PID namespace of this process; [unknown] where /proc is not that
// of it, as its numbers are of no use then.
func namespace() string {
	shown, err := os.Readlink("/proc/self")
	if err != nil || shown != strconv.Itoa(os.Getpid()) {
		return unknown
	}
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return unknown
	}
	return name
}

func boot() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// startOf is when the process pid started, in clock ticks since boot; 0 if there is none.
func startOf(pid int) uint64 {
	p, err := reaper.Look(pid)
	if err != nil {
		return 0
	}
	return p.Start
}

// mayHaveOpen tells whether the process has the file open, or there is no /proc to look at. Of
// another account it is not: a lock is in a folder that one account alone can enter.
func mayHaveOpen(pid int, file *os.File) bool {
	want, err := file.Stat()
	if err != nil {
		return true
	}
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	descriptors, err := os.ReadDir(folder)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, descriptor := range descriptors {
		if info, err := os.Stat(filepath.Join(folder, descriptor.Name())); err == nil && os.SameFile(info, want) {
			return true
		}
	}
	return false
}
