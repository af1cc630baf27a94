package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// statusText is a status file of proc(5), shortened.
const statusText = `Name:	node
Umask:	0022
State:	S (sleeping)
Tgid:	4711
Pid:	4711
PPid:	4710
TracerPid:	0
VmPeak:	 1015652 kB
VmHWM:	   48000 kB
VmRSS:	   46120 kB
RssAnon:	    9000 kB
RssFile:	   37100 kB
RssShmem:	      20 kB
Threads:	7
`

func TestParseStatus(t *testing.T) {
	t.Parallel()
	got, err := parseStatus(statusText)
	want := resident{Name: "node", RSS: 46120 << 10, Anon: 9000 << 10, File: 37100 << 10, Threads: 7, pid: 4711, parent: 4710}
	if err != nil || got != want {
		t.Errorf("it is read as %+v (%v), want %+v", got, err, want)
	}
	for name, c := range map[string]struct {
		from, to string
		unknown  bool // that it is not told is what is wrong
	}{
		"of the kernel":        {from: "VmRSS:\t   46120 kB\n", unknown: true},
		"without a parent":     {from: "PPid:\t4710\n", unknown: true},
		"without its own part": {from: "RssAnon:\t    9000 kB\n", unknown: true},
		"another unit":         {from: "46120 kB", to: "46120 MB"},
		"no unit":              {from: "46120 kB", to: "46120"},
		"no number":            {from: "46120 kB", to: "many kB"},
		"no number of threads": {from: "Threads:\t7", to: "Threads:\tseven"},
	} {
		text := strings.Replace(statusText, c.from, c.to, 1)
		if text == statusText {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if got, err := parseStatus(text); err == nil || errors.Is(err, errNoStatus) != c.unknown {
			t.Errorf("%s: it is read as %+v (%v), want an error, that it is not told: %v", name, got, err, c.unknown)
		}
	}
}

func TestKeepersAmong(t *testing.T) {
	t.Parallel()
	process := func(pid, parent int) resident { return resident{pid: pid, parent: parent} }
	all := []resident{
		process(1, 0), process(14, 13), process(12, 11), process(11, 10), process(10, 1), process(13, 12), process(20, 1), process(15, 11),
	}
	for _, c := range []struct {
		pid, listener int
		want          []int
	}{
		{10, 13, []int{10, 11, 12, 15}},
		{10, 11, []int{10}},
		{20, 13, []int{20}},
		{13, 13, nil}, // nobody keeps it
		{99, 13, nil}, // it has ended
	} {
		var got []int
		for _, r := range keepersAmong(all, c.pid, c.listener) {
			got = append(got, r.pid)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("listener %d is kept running by %v, want %v", c.listener, got, c.want)
		}
	}
}
