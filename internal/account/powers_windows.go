package account

import (
	"context"
	"os/user"
	"slices"
)

// Utmost is what the members of [User.Powers] can do.
const Utmost = "do everything on this host"

// Powers names the groups of the account whose members can do everything on this host: by being its administrators, by reading
// and writing all that is on its disks, by loading drivers, or by being given its disks in a virtual machine. Accounts for services
// are in none of them unless somebody has put them there, which is not seen here.
func (u User) Powers() []string {
	if kind := u.Kind(); kind == Virtual || kind == BuiltIn || u.SID == "" {
		return nil
	}
	known, err := user.LookupId(u.SID)
	if err != nil {
		return nil // it is a warning at most
	}
	groups, err := known.GroupIds()
	if err != nil {
		return nil
	}
	var names []string
	for _, mighty := range []struct{ sid, name string }{
		{"S-1-5-32-544", "Administrators"},
		{"S-1-5-32-551", "Backup Operators"},
		{"S-1-5-32-550", "Print Operators"},
		{"S-1-5-32-578", "Hyper-V Administrators"},
	} {
		if slices.Contains(groups, mighty.sid) {
			names = append(names, mighty.name)
		}
	}
	return names
}

// Member tells nothing of groups: no daemon is reached by them here.
func (u User) Member(string) (is, exists bool) { return true, true }

// Ours is never so: Windows makes those of services.
func (u User) Ours() bool { return false }

// Sudoer cannot tell: there is no sudo.
func Sudoer(context.Context, string) bool { return true }
