//go:build unix

package account

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// As makes cmd run as the account, in a process group of its own, so that a
// signal for it reaches its children and one from the terminal does not.
func (u User) As(cmd *exec.Cmd) {
	attributes := &syscall.SysProcAttr{Setpgid: true}
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

// Create makes a system account with a group and a home of its own and no way
// to log in with a password. One that exists already is a success.
func Create(ctx context.Context, name string) (User, error) {
	if u, err := Lookup(name); err == nil {
		return u, nil
	}
	program, err := exec.LookPath("useradd")
	if err != nil {
		program = "/usr/sbin/useradd"
	}
	cmd := exec.CommandContext(ctx, program, "--system", "--user-group", "--create-home",
		"--home-dir", "/home/"+name, "--shell", "/bin/bash", "--comment", "GitHub Actions runner", "--", name)
	if output, err := cmd.CombinedOutput(); err != nil {
		return User{}, fmt.Errorf("creating account %q: %w: %w: %s", name, ErrCreate, err, strings.TrimSpace(string(output)))
	}
	return Lookup(name)
}

func (u User) mayList(info fs.FileInfo) bool { return u.may(info, true, true) }

// may tells whether the account has the rights that are asked for.
func (u User) may(info fs.FileInfo, read, pass bool) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	var wanted fs.FileMode // as others have it
	if read {
		wanted |= 0o4
	}
	if pass {
		wanted |= 0o1
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == u.UID:
		return mode>>6&wanted == wanted
	case int(stat.Gid) == u.GID || slices.Contains(u.Groups, int(stat.Gid)):
		return mode>>3&wanted == wanted
	default:
		return mode&wanted == wanted
	}
}

// Privileged tells whether this process may create accounts and services.
func Privileged() bool { return os.Geteuid() == 0 }
