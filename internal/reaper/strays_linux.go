package reaper

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Strays returns the running processes that were started for the account uid, but for this process and
// its descendants: what an earlier job may have left where nobody looks, or somebody who is logged in. Processes of other
// PID namespaces above this one's cannot be seen. An error is that the processes cannot be listed.
//
// Races: what comes or goes meanwhile is among them or not. It may be repeated.
func Strays(uid int) ([]Stray, error) {
	entries, err := walk()
	if err != nil {
		return nil, err
	}
	ours := descendants(entries)
	var found []Stray
	for _, e := range entries {
		if e.dead() || e.pid == os.Getpid() || ours[e.pid] {
			continue
		}
		name := programName(e.pid)
		// The same process before and after its name was read, so it is its own.
		if p, err := look(e.pid); err == nil && e.is(p) && p.UID == uid {
			found = append(found, Stray{Process: p, Name: name})
		}
	}
	return found, nil
}

// programName is what the kernel calls the program of a process, which the process can
// change; without what a terminal would obey, and empty where the process is gone.
func programName(pid int) string {
	text, err := os.ReadFile(filepath.Join(folderOf(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, string(text))
}
