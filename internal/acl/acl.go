// Package acl makes folders and files that only those can reach who shall. On Unix that is their mode, and on Windows
// an access control list (DACL) which is protected, so that nothing comes down to it from the folder above, and which is
// there from the first moment on.
//
// What others may do to a folder that is there already is looked at before it is used: on a Windows as it comes, everybody may
// make C:\actions-runner, or a folder in C:\ProgramData, before we do.
package acl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrOpen means that somebody could change a folder, or read it, who shall not.
var ErrOpen = errors.New("others can change what is in it")

// OpenError says which folder is open, and to whom. It matches [ErrOpen].
type OpenError struct {
	Path string
	// Who is the SID of somebody who can change it, or owns it.
	Who string
	// Name is what this host calls them; may be empty.
	Name string
	// Owns is set where it belongs to them.
	Owns bool
}

func (e *OpenError) Error() string {
	who := e.Who
	if e.Name != "" {
		who = e.Name
	}
	if e.Owns {
		return fmt.Sprintf("looking at %q: %v: it belongs to %s", e.Path, ErrOpen, who)
	}
	return fmt.Sprintf("looking at %q: %v: so can %s", e.Path, ErrOpen, who)
}

// Command is what an administrator mends it with, once it is certain that nothing of theirs is in it.
func (e *OpenError) Command() string {
	path := e.Path // of a whole volume, where a quote would be escaped
	if !strings.HasSuffix(path, `:\`) {
		path = `"` + strings.TrimRight(path, `\`) + `"`
	}
	if e.Owns {
		return "takeown /a /r /f " + path
	}
	return "icacls " + path + " /inheritance:d /remove:g *" + e.Who
}

// Is matches [ErrOpen].
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// Rights on a file or a folder of Windows.
const (
	all         = 0x1f01ff
	modify      = 0x1301bf
	readExecute = 0x1200a9
	addFile     = 0x2
	addFolder   = 0x4
	deleteChild = 0x40
	remove      = 0x10000
	writeDACL   = 0x40000
	writeOwner  = 0x80000

	// replace is what it takes to put something else into the place of what is in a folder, or of the folder.
	replace = deleteChild | remove | writeDACL | writeOwner
	// change is what it takes to change what is in a folder, be it by adding to it.
	change = replace | addFile | addFolder
	// look is what it takes to see what is in a folder.
	look = 0x1
)

// Who SIDs stand for.
const (
	system         = "S-1-5-18"
	administrators = "S-1-5-32-544"
	users          = "S-1-5-32-545"
	everyone       = "S-1-1-0"
	authenticated  = "S-1-5-11"
	creatorOwner   = "S-1-3-0"
	ownerRights    = "S-1-3-4"
	installer      = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464" // TrustedInstaller, who owns C:\
)

// entry is the text of an entry that lets somebody in, with flags that say what below a folder it is for.
func entry(flags string, rights uint32, sid string) string {
	return fmt.Sprintf("(A;%s;0x%x;;;%s)", flags, rights, sid)
}

const (
	here      = ""       // the folder alone
	inherited = "OICI"   // the folder and all below
	below     = "OICIIO" // all below alone
	protected = "D:PAI"  // nothing comes from above
)

// Private is the text (SDDL) of a list for what the system and administrators reach, and those who are named by their SIDs.
func Private(sids ...string) string {
	text := protected + entry(inherited, all, system) + entry(inherited, all, administrators)
	for _, sid := range sids {
		text += entry(inherited, all, sid)
	}
	return text
}

// Public is [Private], and everybody may read and execute.
func Public() string { return Private() + entry(inherited, readExecute, everyone) }

// Shared is the list for a folder whose content is not the account's, which reads and executes it, and adds things of its
// own: they are its own alone to change.
func Shared(sid string) string {
	return Private() + entry(inherited, readExecute, sid) + entry(here, addFile|addFolder, sid) + entry(below, all, creatorOwner)
}

// Given is the list for a folder that the account has: it reads, changes and removes what is in it.
func Given(sid string) string { return Private() + entry(inherited, modify, sid) }

// GivenFile is [Given] for a file.
func GivenFile(sid string) string {
	return protected + entry(here, all, system) + entry(here, all, administrators) + entry(here, modify, sid)
}

// access is one entry of a list as it was found.
type access struct {
	sid    string
	rights uint32
	denies bool
	// onlyBelow is set for what does not count for the folder itself.
	onlyBelow bool
}

// found is who may do what to a file or a folder.
type found struct {
	owner string
	list  []access
}

// stranger is somebody who is not trusted and has one of the rights; empty if nobody has. Entries that deny something do
// not count: they are rare, and what they take from one may come by another.
func (f found) stranger(rights uint32, trusted func(sid string) bool) string {
	for _, a := range f.list {
		if !a.denies && !a.onlyBelow && a.rights&rights != 0 && !trusted(a.sid) {
			return a.sid
		}
	}
	return ""
}

// allows tells whether somebody who is all of sids has all of the rights, as Windows judges it: by the entries in their order.
func (f found) allows(sids []string, rights uint32) bool {
	if slices.Contains(sids, f.owner) {
		rights &^= writeDACL
	}
	for _, a := range f.list {
		if a.onlyBelow || !slices.Contains(sids, a.sid) {
			continue
		}
		if a.denies && a.rights&rights != 0 {
			return false
		}
		if !a.denies {
			rights &^= a.rights
		}
	}
	return rights == 0
}

// administers tells whether who a SID stands for may do everything on this host, or is nobody in particular.
func administers(sid string) bool {
	switch sid {
	case system, administrators, installer, creatorOwner, ownerRights:
		return true
	}
	// The administrator of the host or the domain, and the administrators of the domain and the forest.
	known := []string{"-500", "-512", "-519"}
	return strings.HasPrefix(sid, "S-1-5-21-") && slices.ContainsFunc(known, func(end string) bool { return strings.HasSuffix(sid, end) })
}

// general turns rights that are meant for all sorts of things into those on files.
func general(rights uint32) uint32 {
	for _, g := range []struct{ from, to uint32 }{
		{0x10000000, all}, {0x20000000, 0x1200a0}, {0x40000000, 0x120116}, {0x80000000, 0x120089},
	} {
		if rights&g.from != 0 {
			rights = rights&^g.from | g.to
		}
	}
	return rights
}
