package places

import (
	"io/fs"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// powerful is false: rights on Windows are not those of owners and modes.
func powerful() bool { return false }

// guarded tells whether only those who administer this host, or the account of this process, can put something else into the
// place of what a path leads to. The error matches [acl.ErrOpen]. What is a secret and nothing else may be anybody's.
func guarded(path string, trust Trust) error {
	if trust.Others {
		return nil
	}
	return acl.Check(path)
}

func (Trust) owns(fs.FileInfo) bool { return true }

func (Trust) writable(string, fs.FileInfo) bool { return false }

func ownerOf(fs.FileInfo) string { return "somebody" }
