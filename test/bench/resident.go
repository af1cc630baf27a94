package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// resident is the memory of one process, in bytes, as the kernel counts it. What
// processes share is in each of them, but for PSS, where each has its part of it.
type resident struct {
	Name    string `json:"name"`
	RSS     int64  `json:"rss"`
	PSS     int64  `json:"pss"`
	Anon    int64  `json:"rss_anon"` // its own: heap and stacks
	File    int64  `json:"rss_file"` // pages of files, programs above all, which it gives back when memory is short
	Threads int    `json:"threads"`

	pid, parent int
}

// parseStatus reads a status file of proc(5). One that tells of no memory is that
// of a process which has ended, or of the kernel's, and an error.
func parseStatus(text string) (resident, error) {
	r := resident{}
	numbers := map[string]int64{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			r.Name = value
		case "Pid", "PPid", "Threads":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return r, fmt.Errorf("reading %s: %w", key, err)
			}
			numbers[key] = n
		case "VmRSS", "RssAnon", "RssFile":
			kilobytes, ok := strings.CutSuffix(value, " kB")
			n, err := strconv.ParseInt(kilobytes, 10, 64)
			if err != nil || !ok {
				return r, fmt.Errorf("reading %s: %q is no number of kB", key, value)
			}
			numbers[key] = n << 10
		}
	}
	for _, key := range []string{"Pid", "PPid", "Threads", "VmRSS", "RssAnon", "RssFile"} {
		if _, ok := numbers[key]; !ok {
			return r, fmt.Errorf("looking for %s: %w", key, errNoStatus)
		}
	}
	r.RSS, r.Anon, r.File = numbers["VmRSS"], numbers["RssAnon"], numbers["RssFile"]
	r.pid, r.parent, r.Threads = int(numbers["Pid"]), int(numbers["PPid"]), int(numbers["Threads"])
	return r, nil
}

var errNoStatus = errors.New("it is not told")

// allProcesses are those of this host that have memory. One that ends meanwhile
// may be missing.
func allProcesses() ([]resident, error) {
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, err
	}
	var all []resident
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		r, err := parseStatus(string(text))
		if errors.Is(err, errNoStatus) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", file, err)
		}
		// A thread may have named itself, and a script bears its own name.
		if program, err := os.Readlink(filepath.Join(filepath.Dir(file), "exe")); err == nil {
			r.Name = filepath.Base(program)
		}
		all = append(all, r)
	}
	return all, nil
}

// keepersAmong picks the process pid and what descends from it, the listener
// and what descends from that left out. The first is pid, then each comes after
// its parent.
func keepersAmong(all []resident, pid, listener int) []resident {
	var found []resident
	for _, r := range all {
		if r.pid == pid && r.pid != listener {
			found = append(found, r)
		}
	}
	for i := 0; i < len(found); i++ {
		for _, r := range all {
			known := slices.ContainsFunc(found, func(other resident) bool { return other.pid == r.pid })
			if r.parent == found[i].pid && r.pid != listener && !known {
				found = append(found, r)
			}
		}
	}
	return found
}

// addShares fills in PSS. A process that has ended has none.
func addShares(all []resident) error {
	for i := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", all[i].pid))
		if err != nil {
			return fmt.Errorf("looking at memory: %w", err)
		}
		if all[i].PSS, err = parseShare(string(text)); err != nil {
			return err
		}
	}
	return nil
}

// parseShare reads a smaps_rollup file of proc(5).
func parseShare(text string) (int64, error) {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, "Pss:"); found {
			kilobytes, ok := strings.CutSuffix(strings.TrimSpace(value), " kB")
			n, err := strconv.ParseInt(kilobytes, 10, 64)
			if err != nil || !ok {
				return 0, fmt.Errorf("reading Pss: %q is no number of kB", value)
			}
			return n << 10, nil
		}
	}
	return 0, fmt.Errorf("looking for Pss: %w", errNoStatus)
}
