package main

import (
	"io/fs"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// fileMode does nothing: Windows has no such mask.
func fileMode() {}

// openToOthers tells whether every account of this host can read a file, and its list. One that cannot be looked at is not.
func openToOthers(path string, _ fs.FileInfo) (list string, open bool) {
	if open, err := acl.Reads(path); err != nil || !open {
		return "", false
	}
	list, _ = acl.Text(path) //nolint:errcheck // it is for the reader alone
	return list, true
}
