// Package account knows the unprivileged operating system account that jobs
// run as: it finds it, creates it, and starts programs as it with an
// environment that holds nothing of ours.
package account

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

var (
	// ErrAbsent means that there is no such account on this host.
	ErrAbsent = errors.New("no such account")
	// ErrCreate means that this host does not let us create one.
	ErrCreate = errors.New("it cannot be created")
)

// searchPath is what every runner starts with. The PATH of whoever installs is
// no guide: in cloud-init it is nearly empty, under sudo it is root's.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// User is an account.
type User struct {
	Name   string
	UID    int
	GID    int
	Groups []int // supplementary, the primary one included
	Home   string
	// Self is set when it is the account this process runs as, so that nothing
	// has to be switched.
	Self bool
}

// Lookup finds the account called name; an empty name is the account this
// process runs as. The error matches [ErrAbsent] if there is none.
func Lookup(name string) (User, error) {
	found, err := lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return User{}, fmt.Errorf("looking up account %q: %w", name, ErrAbsent)
	}
	if err != nil {
		return User{}, fmt.Errorf("looking up account %q: %w", name, err)
	}
	return fromOS(found)
}

func lookup(name string) (*user.User, error) {
	if name == "" {
		return user.Current()
	}
	return user.Lookup(name)
}

func fromOS(found *user.User) (User, error) {
	u := User{Name: found.Username, Home: found.HomeDir, UID: -1, GID: -1}
	// On Windows the ids are no numbers; nothing there switches accounts.
	if uid, err := strconv.Atoi(found.Uid); err == nil {
		u.UID = uid
	}
	if gid, err := strconv.Atoi(found.Gid); err == nil {
		u.GID = gid
	}
	u.Self = u.UID == os.Geteuid()
	ids, err := found.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("listing groups of account %q: %w", found.Username, err)
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			u.Groups = append(u.Groups, gid)
		}
	}
	return u, nil
}

// Environment is what a program of this account starts with: where to find
// programs, who and where it is, and extra on top ("KEY=VALUE"). Nothing of
// our own environment is in it. HOME is dir where the account has no home of
// its own, as jobs break without one.
func (u User) Environment(dir string, extra ...string) []string {
	home := u.Home
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		home = dir
	}
	environment := []string{
		"PATH=" + searchPath,
		"HOME=" + home,
		"USER=" + u.Name,
		"LOGNAME=" + u.Name,
		"LANG=C.UTF-8",
	}
	return append(environment, extra...)
}

// SearchPath is the PATH that [User.Environment] sets.
func SearchPath() string { return searchPath }

// Own makes u the owner of path, not following a link and not descending. It
// does nothing when u is the account this process runs as.
func (u User) Own(path string) error {
	if u.Self {
		return nil
	}
	return os.Lchown(path, u.UID, u.GID)
}

// Barrier returns the first directory on the way to path which the account may
// not list and pass, or "" if there is none. A runner refuses to be configured
// below such a directory (actions/runner, IOUtil.ValidateExecutePermission).
// Parents that do not exist yet are no barrier.
func (u User) Barrier(path string) string {
	if u.UID == 0 {
		return ""
	}
	for _, dir := range parents(path) {
		info, err := os.Stat(dir)
		if err != nil {
			return ""
		}
		if !u.mayList(info) {
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
	if u.UID == 0 {
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
		if !u.may(info, !info.IsDir() || step == path, info.IsDir()) {
			return step
		}
	}
	return ""
}
