package githubtest

import "archive/tar"

// HostileCase is a set of entries an unpacker must refuse, or at least keep harmless.
type HostileCase struct {
	Name    string
	Entries []Entry
	// Outside is the path, from the folder unpacked into, that must not appear or change; empty if nothing leaves it.
	Outside string
}

// HostileCases are the ways in which archives have attacked those who unpack them. They are for tar archives.
func HostileCases() []HostileCase {
	return []HostileCase{
		{Name: "dotdot", Outside: "../escaped", Entries: []Entry{{Name: "../escaped", Body: "x"}}},
		{Name: "dotdot in the middle", Outside: "../escaped", Entries: []Entry{{Name: "./bin/../../escaped", Body: "x"}}},
		{Name: "absolute", Outside: "/escaped", Entries: []Entry{{Name: "/escaped", Body: "x"}}},
		{Name: "escaping symlink", Entries: []Entry{{Name: "./out", Type: tar.TypeSymlink, Link: "../.."}}},
		{Name: "absolute symlink", Entries: []Entry{{Name: "./out", Type: tar.TypeSymlink, Link: "/etc"}}},
		{Name: "write through a symlink", Outside: "../escaped", Entries: []Entry{
			{Name: "./out", Type: tar.TypeSymlink, Link: ".."},
			{Name: "./out/escaped", Body: "x"},
		}},
		{Name: "overwrite a symlink's target", Outside: "../escaped", Entries: []Entry{
			{Name: "./out", Type: tar.TypeSymlink, Link: "../escaped"},
			{Name: "./out", Body: "x"},
		}},
		{Name: "hard link out", Entries: []Entry{{Name: "./out", Type: tar.TypeLink, Link: "../../etc/passwd"}}},
		{Name: "device", Entries: []Entry{{Name: "./null", Type: tar.TypeChar, Mode: 0o666}}},
		{Name: "fifo", Entries: []Entry{{Name: "./pipe", Type: tar.TypeFifo}}},
		{Name: "setuid", Entries: []Entry{{Name: "./bin/setuid", Body: "#!/bin/sh\n", Mode: 0o6755}}},
	}
}
