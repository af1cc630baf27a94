package account

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Powers names the groups of the account whose members can become root without any
// password: by a daemon that does what it is told, by reading the disks, or by being
// root's own group. Those of sudo and wheel depend on how sudo is set up.
func (u User) Powers() []string { return systemDatabase().powers(u) }

func (d database) powers(u User) []string {
	text, err := os.ReadFile(d.group)
	if err != nil {
		return nil // it is a warning at most
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		if len(fields) != 4 || !slices.Contains([]string{"root", "docker", "lxd", "incus", "disk", "shadow", "sudo", "wheel"}, fields[0]) {
			continue
		}
		if gid, err := parseID(fields[2]); err == nil && (gid == u.GID || slices.Contains(u.Groups, gid)) {
			names = append(names, fields[0])
		}
	}
	return names
}

// Member tells whether the account is in a group of this host, and whether there is such a group.
func (u User) Member(group string) (is, exists bool) { return systemDatabase().member(u, group) }

func (d database) member(u User, group string) (is, exists bool) {
	text, err := os.ReadFile(d.group)
	if err != nil {
		return false, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		if len(fields) != 4 || fields[0] != group {
			continue
		}
		gid, err := parseID(fields[2])
		return err == nil && (gid == u.GID || slices.Contains(u.Groups, gid)), true
	}
	return false, false
}

// Ours tells whether [Create] has made the account on this host, by what it has written into the system's database.
func (u User) Ours() bool { return systemDatabase().ours(u) }

func (d database) ours(u User) bool {
	text, err := os.ReadFile(d.passwd)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if known, err := parseAccount(line); err == nil && known.Name == u.Name && known.UID == u.UID {
			return strings.Split(line, ":")[4] == comment && known.Home == homeMade(u.Name)
		}
	}
	return false
}

// sudoTime is how long sudo may take to say what an account may: it may ask a directory.
const sudoTime = 5 * time.Second

// Sudoer tells whether an account may run anything by sudo, as far as sudo says so to root; true where it cannot be told.
func Sudoer(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, sudoTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sudo", "-n", "-l", "-U", name)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	said, err := cmd.CombinedOutput() // it ends with 0 or 1 for a no, by its version
	return !errors.Is(err, exec.ErrNotFound) && !strings.Contains(string(said), "not allowed to run sudo")
}
