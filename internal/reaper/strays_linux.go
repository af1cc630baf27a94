package reaper

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Strays returns the running processes that were started for the account uid and that nobody keeps: what an earlier
// job may have left where nobody looks, or somebody who is logged in. Kept are this process and its descendants, and those
// of others like it: processes below one of root's whose program has the name keeper, and those in a unit of the system's
// service manager whose name begins with unit. Processes of PID namespaces that are not below this one's cannot be seen. An
// error is that the processes cannot be listed.
//
// Races: what comes or goes meanwhile is among them or not. It may be repeated.
func Strays(uid int, keeper, unit string) ([]Stray, error) {
	entries, err := walk()
	if err != nil {
		return nil, err
	}
	ours := descendants(entries)
	parents := map[int]int{}
	for _, e := range entries {
		parents[e.pid] = e.parent
	}
	var found []Stray
	for _, e := range entries {
		if e.dead() || e.pid == os.Getpid() || ours[e.pid] {
			continue
		}
		name := programName(e.pid)
		// The same process before and after its name was read, so it is its own.
		if p, err := look(e.pid); err == nil && e.is(p) && p.UID == uid && !inUnit(e.pid, unit) && !kept(e.pid, parents, keeper) {
			found = append(found, Stray{Process: p, Name: name})
		}
	}
	return found, nil
}

// kept tells whether a program of root's with a name is among the ancestors of a process. The kernel keeps the first
// fifteen bytes of a name, and none but root can give it to a process of root's.
func kept(pid int, parents map[int]int, keeper string) bool {
	keeper = keeper[:min(len(keeper), longestProgram)]
	for range len(parents) { // numbers that are given out again could make a circle
		parent, known := parents[pid]
		if !known || parent <= 0 {
			return false
		}
		if programName(parent) == keeper {
			if p, err := look(parent); err == nil && p.UID == 0 {
				return true
			}
		}
		pid = parent
	}
	return false
}

const longestProgram = 15 // TASK_COMM_LEN, without its end

// inUnit tells whether a process is in a unit of the system's service manager whose name begins so. No process of another
// account than root's can move itself into one.
func inUnit(pid int, prefix string) bool {
	text, err := os.ReadFile(filepath.Join(folderOf(pid), "cgroup"))
	return err == nil && systemUnit(string(text), prefix)
}

// systemUnit reads /proc/PID/cgroup.
func systemUnit(text, prefix string) bool {
	for line := range strings.Lines(text) {
		// "0::/system.slice/NAME.service", or "1:name=systemd:..." of the first version.
		_, path, _ := strings.Cut(strings.TrimSpace(line), ":/")
		slice, rest, _ := strings.Cut(path, "/")
		if slice == "system.slice" && strings.HasPrefix(rest, prefix) {
			return true
		}
	}
	return false
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
