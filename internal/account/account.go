// Package account knows the unprivileged operating system account that jobs
// run as: it finds it, creates it, and starts programs as it with an
// environment that holds nothing of ours.
package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

var (
	// ErrAbsent means that there is no such account on this host.
	ErrAbsent = errors.New("no such account")
	// ErrUnanswered means that the system could not be asked, so that nobody knows
	// whether there is such an account.
	ErrUnanswered = errors.New("the accounts of this host cannot be asked for")
	// ErrCreate means that this host does not let us create one.
	ErrCreate = errors.New("it cannot be created")
	// ErrPrivilege means that something is asked for that only root may do, or an administrator of Windows: see [Privileged].
	ErrPrivilege = errors.New(almighty + " is needed")
)

// CreateError is a refusal of the program that makes accounts. It matches [ErrCreate].
type CreateError struct {
	Name string
	Said string // its own words; may be empty
	// Taken is set when there is a group of that name already.
	Taken bool
	Cause error
}

func (e *CreateError) Error() string {
	text := fmt.Sprintf("creating account %q: %v: %v", e.Name, ErrCreate, e.Cause)
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

func (e *CreateError) Unwrap() []error { return []error{ErrCreate, e.Cause} }

// User is an account.
type User struct {
	// Name is as the system calls it; on Windows with the domain or the host before it, but for LocalSystem.
	Name   string
	UID    int // -1 on Windows, and where the account is yet to be made
	GID    int
	Groups []int // supplementary, the primary one included
	// SID is its security identifier ("S-1-5-..."), which it has on Windows alone.
	SID  string
	Home string
	// Doubt is why groups may be missing that a directory knows; nil if none are.
	Doubt error
	// Self is set when it is the account this process runs as, so that nothing
	// has to be switched.
	Self bool
}

// Lookup finds the account called name, or of that number; an empty name is the
// account this process runs as. Accounts of a directory (SSSD, LDAP, Active
// Directory) are found as the system's own programs find them, and have the name
// that the system gives them. The error matches [ErrAbsent] if there is none, and
// [ErrUnanswered] if that cannot be told; it is a [*LookupError].
func Lookup(name string) (User, error) {
	found, err := lookup(name)
	if err != nil {
		return User{}, &LookupError{Name: name, Cause: err}
	}
	return found, nil
}

// OfJobs finds the account that jobs run as, which a record calls name. Without
// privileges that is the account this process runs as, and so it is for an empty name. It
// fails as [Lookup] does.
func OfJobs(name string) (User, error) {
	if !Privileged() {
		return Lookup("")
	}
	return Lookup(name)
}

// Planned tells whether the account is yet to be made.
func (u User) Planned() bool { return u.UID < 0 && u.SID == "" }

// Root tells whether the account may do everything on this host: a job of root's, or of LocalSystem's, owns it.
func (u User) Root() bool { return u.UID == 0 && u.SID == "" || u.SID == sidSystem }

// Same tells whether other is the same account, by whatever name it was found. One that is yet to be made is the same as none.
func (u User) Same(other User) bool {
	if u.Planned() || other.Planned() {
		return false
	}
	return u.UID == other.UID && strings.EqualFold(u.SID, other.SID)
}

// Owner is whom a file is given to that this account is to have, as chown takes it:
// -1 for both leaves it as it is made, where this process is that account, and on Windows.
func (u User) Owner() (uid, gid int) {
	if u.Self {
		return -1, -1
	}
	return u.UID, u.GID
}

// LookupError says why an account was not found, and where it was looked for.
type LookupError struct {
	Name  string
	Cause error
}

func (e *LookupError) Error() string {
	return fmt.Sprintf("looking up account %q: %v", e.Name, e.Cause)
}
func (e *LookupError) Unwrap() error { return e.Cause }

// OwnHome is the account's home, or empty where it has none that it could write to:
// none at all, one that is not there, or a directory of the system, as services
// have ("/", "/usr/sbin").
func (u User) OwnHome() string {
	if u.Home == "" || u.Home == "/" || !filepath.IsAbs(u.Home) {
		return ""
	}
	info, err := os.Stat(u.Home)
	if errors.Is(err, fs.ErrPermission) {
		return u.Home // a file server may show it to its owner alone
	}
	if err != nil || !info.IsDir() || !u.mayWrite(info) {
		return ""
	}
	return u.Home
}

// Barrier returns the first directory on the way to path which the account may
// not list and pass, or "" if there is none. A runner refuses to be configured
// below such a directory (actions/runner, IOUtil.ValidateExecutePermission).
// Parents that do not exist yet are no barrier.
func (u User) Barrier(path string) string {
	if u.Root() {
		return ""
	}
	for _, dir := range parents(path) {
		info, err := os.Stat(dir)
		if err != nil {
			return ""
		}
		if !u.mayList(dir, info) {
			return dir
		}
	}
	return ""
}

// parents lists the directories above path from the root downwards.
func parents(path string) []string {
	var dirs []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
		if dir == filepath.Dir(dir) {
			return dirs
		}
	}
}

// Unreadable returns what keeps the account from reading path: the first directory
// on the way that it may not pass, the file, or, where path is a directory, that;
// "" if nothing does. What a link names counts as well.
func (u User) Unreadable(path string) string {
	if u.Root() {
		return ""
	}
	steps := append(parents(path), path)
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		steps = append(append(steps, parents(real)...), real)
	}
	for _, step := range steps {
		info, err := os.Stat(step)
		if err != nil {
			return step
		}
		if !u.mayRead(step, info, step == path) {
			return step
		}
	}
	return ""
}
