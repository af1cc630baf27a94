package account

import (
	"os"
	"slices"
	"strings"
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
