//go:build unix

package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// almighty is who may install services, as it stands in a sentence.
const almighty = "root"

// What a mode lets its owner do: read a file, pass a directory, list it as well, make files in it.
// Its group has the same three bits to the right, others six.
const (
	mayRead  fs.FileMode = 0o400
	mayPass  fs.FileMode = 0o100
	mayList  fs.FileMode = mayRead | mayPass
	mayWrite fs.FileMode = 0o300
)

// nameTaken is what useradd exits with where the name is that of an account or a group
// (useradd(8)).
const nameTaken = 9

// As makes cmd run as the account, in a session of its own: a signal for its group reaches its children, one from the terminal does
// not, and nothing can be typed there in the name of another account.
func (u User) As(cmd *exec.Cmd) {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if !u.Self {
		groups := make([]uint32, 0, len(u.Groups))
		for _, gid := range u.Groups {
			groups = append(groups, uint32(gid)) //nolint:gosec // group ids come from the system's database and are not negative
		}
		//nolint:gosec // likewise
		attributes.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: groups}
	}
	cmd.SysProcAttr = attributes
}

// comment is what the system's database says of an account of ours.
const comment = "GitHub Actions runner"

// homeMade is where an account of ours has its home.
func homeMade(name string) string { return "/home/" + name }

// Utmost is what the members of [User.Powers] can do.
const Utmost = "become root"

// Create makes a system account with a group and a home of its own, which no other
// account can look into, and no way to log in with a password. One that exists already,
// be it in a directory, is a success, and stays as it is. The error is a [*CreateError] if
// useradd refuses. A new one is a member of groups, which have to be there.
func Create(ctx context.Context, name string, groups ...string) (User, error) {
	u, err := Lookup(name)
	if !errors.Is(err, ErrAbsent) {
		return u, err
	}
	program, err := exec.LookPath("useradd")
	if err != nil {
		program = "/usr/sbin/useradd"
	}
	words := []string{
		"--system", "--user-group", "--create-home", "--home-dir", homeMade(name), "--shell", "/bin/bash",
		"--comment", comment,
	}
	if len(groups) > 0 {
		words = append(words, "--groups", strings.Join(groups, ","))
	}
	cmd := exec.CommandContext(ctx, program, append(words, "--", name)...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C") // what it says ends up in our errors, which are in English
	// What a terminal sends to all that it runs would leave half an account.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := cmd.CombinedOutput()
	if err == nil {
		u, err := Lookup(name)
		if err != nil {
			return User{}, err
		}
		return u, u.closeHome()
	}
	// A directory may have come up in the meantime, and know it.
	if u, err := Lookup(name); err == nil {
		return u, nil
	}
	var exit *exec.ExitError
	taken := errors.As(err, &exit) && exit.ExitCode() == nameTaken
	return User{}, &CreateError{Name: name, Said: strings.TrimSpace(string(output)), Taken: taken, Cause: err}
}

// Creatable tells whether useradd makes an account of this name: Debian's and Red
// Hat's take lower-case letters, digits, dashes and underlines, up to 32, and no
// digit or dash first.
func Creatable(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r == '_'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= longestName
}

// longestName is what utmp has room for.
const longestName = 32

// Own makes u the owner of path, not following a link and not descending. It
// does nothing when u is the account this process runs as.
func (u User) Own(path string) error {
	if u.Self {
		return nil
	}
	return os.Lchown(path, u.UID, u.GID)
}

// OwnFile is [User.Own] for an open file.
func (u User) OwnFile(file *os.File) error {
	if u.Self {
		return nil
	}
	return file.Chown(u.UID, u.GID)
}

// AsRoot is who owns what the account may read alone, by its group: root.
func (u User) AsRoot() User {
	u.UID, u.Self = 0, false
	return u
}

// closeHome keeps other accounts out of a home that was just made: useradd goes by
// HOME_MODE and UMASK of login.defs, which often leave it open. One that was there
// before and is not the account's is none of ours.
func (u User) closeHome() error {
	dir, err := os.OpenFile(u.Home, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // CREATE_HOME is no, or the disk is full: jobs have the runner's directory instead
	}
	if err != nil {
		return fmt.Errorf("closing the home of account %q: %w", u.Name, err)
	}
	info, err := dir.Stat()
	if err == nil && info.Sys().(*syscall.Stat_t).Uid == uint32(u.UID) { //nolint:gosec // a uid is not negative
		err = dir.Chmod(0o700)
	}
	if err := errors.Join(err, dir.Close()); err != nil {
		return fmt.Errorf("closing the home of account %q: %w", u.Name, err)
	}
	return nil
}

func (u User) mayList(_ string, info fs.FileInfo) bool { return u.may(mayList, info) }

// mayRead tells whether the account may read a file, or pass a directory, and list it where it is the last one.
func (u User) mayRead(_ string, info fs.FileInfo, last bool) bool {
	switch {
	case !info.IsDir():
		return u.may(mayRead, info)
	case last:
		return u.may(mayList, info)
	default:
		return u.may(mayPass, info)
	}
}

func (u User) mayWrite(info fs.FileInfo) bool { return u.Root() || u.may(mayWrite, info) }

// may tells what the mode of a file lets the account do, as the kernel judges it: the
// first of owner, group and others that fits counts, and no later one.
func (u User) may(what fs.FileMode, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == u.UID:
	case int(stat.Gid) == u.GID || slices.Contains(u.Groups, int(stat.Gid)):
		what >>= 3
	default:
		what >>= 6
	}
	return mode&what == what
}

// Privileged tells whether this process may create accounts and services.
func Privileged() bool { return os.Geteuid() == 0 }
