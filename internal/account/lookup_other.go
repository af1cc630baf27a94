//go:build !linux

package account

import (
	"errors"
	"os"
	"os/user"
	"strconv"
)

// lookup asks the system's own library, which knows the accounts of directories as
// well.
func lookup(name string) (User, error) {
	found, err := find(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return User{}, ErrAbsent
	}
	if err != nil {
		return User{}, err
	}
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
		return User{}, err
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			u.Groups = append(u.Groups, gid)
		}
	}
	return u, nil
}

func find(name string) (*user.User, error) {
	if name == "" {
		return user.Current()
	}
	return user.Lookup(name)
}
